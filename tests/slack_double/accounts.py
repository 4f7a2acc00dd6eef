"""auth.*, oauth.*, users.*, bots.info, team.info, apps.*: who is who, and who may ask.

Knows tokens and how an app gets them. Leaves reading a token from a request to the door.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

from tests.slack_double.answers import Answer, Asked, Refused, method
from tests.slack_double.state import User, Workspace

ROTATION_SECONDS = 43_200


@dataclass(kw_only=True)
class App:
    """The app itself: its secrets, and what its installations were granted. rotating: tokens are refreshed."""

    id: str
    signing_secret: str = "signing-secret-of-the-tests"
    client_id: str = "1000000000.2000000000"
    client_secret: str = "client-secret-of-the-tests"
    token: str = "xapp-1-A0FRONTDESK-1000-tests"
    rotating: bool = False
    codes: dict[str, Workspace] = field(default_factory=dict)
    refreshers: dict[str, Workspace] = field(default_factory=dict)

    def grant(self, workspace: Workspace) -> str:
        """A person lets the app into a workspace: the code that comes back to the app."""
        code = f"{workspace.team}.{secrets.token_hex(8)}"
        self.codes[code] = workspace
        return code

    def access(self, arguments: dict[str, Any], client_id: str, client_secret: str) -> Answer:
        """oauth.v2.access. Raises Refused."""
        if client_id != self.client_id:
            raise Refused("invalid_client_id")
        if client_secret != self.client_secret:
            raise Refused("bad_client_secret")
        if arguments.get("grant_type") == "refresh_token":
            workspace = self.refreshers.pop(str(arguments.get("refresh_token")), None)
            if workspace is None:
                raise Refused("invalid_refresh_token")
            workspace.bot_token = f"xoxe.xoxb-1-{secrets.token_hex(8)}"
        else:
            workspace = self.codes.pop(str(arguments.get("code")), None)
            if workspace is None:
                raise Refused("invalid_code")
        workspace.dead = ""
        return self._granted(workspace)

    def _granted(self, workspace: Workspace) -> Answer:
        answer: Answer = {
            "app_id": self.id,
            "authed_user": {"id": workspace.ann},
            "scope": ",".join(sorted(workspace.scopes)),
            "token_type": "bot",
            "access_token": workspace.bot_token,
            "bot_user_id": workspace.bot,
            "team": {"id": workspace.team, "name": workspace.name},
            "enterprise": None,
            "is_enterprise_install": False,
        }
        if self.rotating:
            refresher = f"xoxe-1-{secrets.token_hex(8)}"
            self.refreshers[refresher] = workspace
            answer |= {"refresh_token": refresher, "expires_in": ROTATION_SECONDS}
        return answer


@method("auth.test")
def auth_test(asked: Asked) -> Answer:
    return {
        "url": f"https://{asked.workspace.domain}.slack.com/",
        "team": asked.workspace.name,
        "user": "frontdesk",
        "team_id": asked.workspace.team,
        "user_id": asked.workspace.bot,
        "bot_id": asked.workspace.bot_id,
        "is_enterprise_install": False,
    }


@method("auth.revoke")
def auth_revoke(asked: Asked) -> Answer:
    if not asked.get("test", False):
        asked.workspace.dead = "token_revoked"
    return {"revoked": True}


@method("auth.teams.list")
def auth_teams_list(asked: Asked) -> Answer:
    return {"teams": [{"id": asked.workspace.team, "name": asked.workspace.name}]}


@method("api.test")
def api_test(asked: Asked) -> Answer:
    if asked.get("error"):
        raise Refused(asked.get("error"))
    return {"args": asked.arguments}


@method("bots.info")
def bots_info(asked: Asked) -> Answer:
    if asked.get("bot", asked.workspace.bot_id) != asked.workspace.bot_id:
        raise Refused("bot_not_found")
    known = {"id": asked.workspace.bot_id, "app_id": asked.world.app_id, "user_id": asked.workspace.bot}
    return {"bot": {**known, "name": "frontdesk", "deleted": False}}


@method("team.info")
def team_info(asked: Asked) -> Answer:
    known = {"id": asked.workspace.team, "name": asked.workspace.name, "domain": asked.workspace.domain}
    return {"team": known}


def _about(asked: Asked, user: User) -> dict[str, Any]:
    told = {
        "id": user.id,
        "team_id": user.team or asked.workspace.team,
        "name": user.name,
        "deleted": user.deleted,
        "real_name": user.name.title(),
        "tz": "Europe/London",
        "profile": {"display_name": user.name, "real_name": user.name.title()},
        "is_bot": user.is_bot,
        "is_app_user": False,
    }
    return told | ({"locale": user.locale} if asked.get("include_locale", False) else {})


@method("users.info")
def users_info(asked: Asked) -> Answer:
    user = asked.workspace.users.get(asked.get("user"))
    if user is None:
        raise Refused("user_not_found")
    return {"user": _about(asked, user)}


@method("users.list")
def users_list(asked: Asked) -> Answer:
    members = [_about(asked, user) for user in asked.workspace.users.values()]
    return {"members": members, "response_metadata": {"next_cursor": ""}}
