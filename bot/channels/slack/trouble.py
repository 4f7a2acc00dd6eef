"""What a failed call means for an answer: it can go there never, not now, or not in this way.

Knows Slack's codes. Leaves what is done about it to `stream` and `ladder`.
"""

from __future__ import annotations

from typing import Literal

from bot.channels.slack.api import PERHAPS_DONE, SlackFailure

Meaning = Literal["never", "later", "otherwise"]

# Nobody can be reached there, and no later try will change it.
NEVER = frozenset(
    {
        "account_inactive",
        "app_access_restricted",
        "cannot_reply_to_message",
        "channel_not_found",
        "ekm_access_denied",
        "invalid_auth",
        "is_archived",
        "is_inactive",
        "messages_tab_disabled",
        "not_installed",
        "not_in_channel",
        "posting_to_channel_denied",
        "restricted_action",
        "restricted_action_non_threadable_channel",
        "restricted_action_read_only_channel",
        "restricted_action_thread_locked",
        "restricted_action_thread_only_channel",
        "team_not_found",
        "thread_not_found",
        "token_revoked",
    }
)
# The stream is over, by age or by a person.
STOPPED_BY_USER = "stopped_by_user"
STREAM_OVER = frozenset({"message_not_in_streaming_state", STOPPED_BY_USER})
STILL_STREAMING = "streaming_state_conflict"
# Ours, or Slack's, for the time being.
LATER = PERHAPS_DONE | {
    "connection",
    "external_channel_migrating",
    "messaging_processing_failed",
    "ratelimited",
    "rate_limited",
    "request_timeout",
    STILL_STREAMING,  # though it was halted: Slack has not noticed yet
    "timeout",
    "token_expired",
    "unreadable",
}
NOTHING_SHOWN = "no_text"
# The workspace does not have it at all: asking again with the next answer is no use.
NOT_OFFERED = frozenset(
    {
        "access_denied",
        "deprecated_endpoint",
        "feature_disabled",
        "feature_not_enabled",
        "method_deprecated",
        "missing_scope",
        "no_permission",
        NOTHING_SHOWN,  # a stream that may not begin empty is none for us: see `stream`
        "not_agent_app",
        "not_allowed_token_type",
        "unknown_method",
    }
)
# The same without blocks may do.
BLOCKS_REFUSED = frozenset(
    {
        "block_mismatch",
        "invalid_blocks",
        "invalid_blocks_format",
        "msg_blocks_too_long",
        "msg_blocks_too_many",
    }
)


def meaning(failure: SlackFailure) -> Meaning:
    """Whether an answer may get to its reader after this, and how."""
    if failure.code in NEVER:
        return "never"
    if failure.code in LATER or failure.code.startswith("http_"):
        return "later"
    return "otherwise"
