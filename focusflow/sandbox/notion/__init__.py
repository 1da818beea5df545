"""Notion, emulated: a workspace with databases, pages and blocks, and every limit of the real one."""

from focusflow.sandbox.notion.service import API_KEY, NotionService

__all__ = ["API_KEY", "NotionService"]
