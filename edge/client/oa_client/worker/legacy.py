"""Codex 0.104 says most things twice: which notifications of its older family only repeat a modern one (STACK §7)."""

from typing import Final

_PREFIX: Final = "codex/event/"

MODERN_TWINS: Final = {
    "agent_message": "item/completed",
    "agent_message_content_delta": "item/agentMessage/delta",
    "agent_message_delta": "item/agentMessage/delta",
    "agent_reasoning": "item/completed",
    "agent_reasoning_delta": "item/reasoning/summaryTextDelta",
    "agent_reasoning_raw_content": "item/completed",
    "agent_reasoning_raw_content_delta": "item/reasoning/textDelta",
    "agent_reasoning_section_break": "item/reasoning/summaryPartAdded",
    "apply_patch_approval_request": "item/fileChange/requestApproval",
    "collab_agent_interaction_begin": "item/started",
    "collab_agent_interaction_end": "item/completed",
    "collab_agent_spawn_begin": "item/started",
    "collab_agent_spawn_end": "item/completed",
    "collab_close_begin": "item/started",
    "collab_close_end": "item/completed",
    "collab_resume_begin": "item/started",
    "collab_resume_end": "item/completed",
    "collab_waiting_begin": "item/started",
    "collab_waiting_end": "item/completed",
    "context_compacted": "thread/compacted",
    "deprecation_notice": "deprecationNotice",
    "dynamic_tool_call_request": "item/tool/call",
    "entered_review_mode": "item/started",
    "error": "error",
    "exec_approval_request": "item/commandExecution/requestApproval",
    "exec_command_begin": "item/started",
    "exec_command_end": "item/completed",
    "exec_command_output_delta": "item/commandExecution/outputDelta",
    "exited_review_mode": "item/completed",
    "item_completed": "item/completed",
    "item_started": "item/started",
    "mcp_tool_call_begin": "item/started",
    "mcp_tool_call_end": "item/completed",
    "model_reroute": "model/rerouted",
    "patch_apply_begin": "item/started",
    "patch_apply_end": "item/completed",
    "plan_delta": "item/plan/delta",
    "plan_update": "turn/plan/updated",
    "raw_response_item": "rawResponseItem/completed",
    "reasoning_content_delta": "item/reasoning/summaryTextDelta",
    "reasoning_raw_content_delta": "item/reasoning/textDelta",
    "request_user_input": "item/tool/requestUserInput",
    "stream_error": "error",
    "task_complete": "turn/completed",
    "task_started": "turn/started",
    "terminal_interaction": "item/commandExecution/terminalInteraction",
    "thread_name_updated": "thread/name/updated",
    "token_count": "thread/tokenUsage/updated",
    "turn_aborted": "turn/completed",
    "turn_diff": "turn/diff/updated",
    "user_message": "item/completed",
    "view_image_tool_call": "item/completed",
    "web_search_begin": "item/started",
    "web_search_end": "item/completed",
}
"""What has no twin is not here (`warning`, `mcp_startup_complete`, `background_event`, …), nor is what is unknown."""


def repeats_a_modern_one(method: str) -> bool:
    return method.startswith(_PREFIX) and method.removeprefix(_PREFIX) in MODERN_TWINS
