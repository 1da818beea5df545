"""Notion, emulated: a workspace with databases, pages and blocks, and every limit of the real one."""

from focusflow.sandbox.notion.service import NotionService

__all__ = ["NotionService"]
