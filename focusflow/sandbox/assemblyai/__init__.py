"""AssemblyAI, emulated: uploads, and transcripts that take their time."""

from focusflow.sandbox.assemblyai.service import API_KEY, AssemblyAIService

__all__ = ["API_KEY", "AssemblyAIService"]
