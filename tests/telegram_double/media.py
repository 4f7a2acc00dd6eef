"""What a message may hold besides text and documents, as Telegram tells it."""

from __future__ import annotations

from typing import Any

from tests.telegram_double.state import World

Media = dict[str, Any]


def shape(world: World, kind: str) -> Media:
    """The field of a Message that holds it."""
    file = world.keep_file(b"\0\1\2", f"{kind}/file_{len(world.files)}")
    known: Media = {"file_id": file.id, "file_unique_id": file.unique_id, "file_size": file.size}
    picture: Media = {"width": 320, "height": 240}
    kinds: dict[str, Any] = {
        "voice": known | {"duration": 3, "mime_type": "audio/ogg"},
        "audio": known | {"duration": 200, "title": "Song"},
        "photo": [known | picture],
        "video": known | picture | {"duration": 5, "mime_type": "video/mp4"},
        "video_note": known | {"length": 240, "duration": 5},
        "animation": known | picture | {"duration": 2},
        "sticker": known
        | picture
        | {"type": "regular", "is_animated": False, "is_video": False, "emoji": "👍"},
        "location": {"latitude": 52.5, "longitude": 13.4},
        "contact": {"phone_number": "+49 30 1", "first_name": "Bo"},
        "dice": {"emoji": "🎲", "value": 4},
        "poll": {
            "id": f"5{len(world.files)}",
            "question": "Tea or coffee?",
            "options": [
                {"persistent_id": "0", "text": "Tea", "voter_count": 0},
                {"persistent_id": "1", "text": "Coffee", "voter_count": 0},
            ],
            "total_voter_count": 0,
            "is_closed": False,
            "is_anonymous": True,
            "type": "regular",
            "allows_multiple_answers": False,
            "allows_revoting": False,
            "members_only": False,
        },
    }
    return {kind: kinds.get(kind, {})}
