"""An OpenAI-compatible server, emulated: streamed answers that fit the scripted calls."""

from focusflow.sandbox.openai.service import API_KEY, OpenAIService

__all__ = ["API_KEY", "OpenAIService"]
