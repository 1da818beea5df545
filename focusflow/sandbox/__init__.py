"""The four services, emulated on loopback: Drive, AssemblyAI, OpenAI and Notion, with the checks the real ones make.

Nothing here imports the rest of FocusFlow: an emulator that shares code with its adapter is wrong together with it.
"""
