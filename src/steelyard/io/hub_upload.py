"""Put a folder on the Hugging Face Hub."""

from pathlib import Path
from typing import Literal

from steelyard.errors import ConfigError
from steelyard.extras import require


def upload_folder(
    folder: Path, repo: str, kind: Literal["model", "dataset"], message: str, otherwise: str
) -> str:
    """Upload a folder as a repository of the Hub, made if it is missing; its address.

    Args:
        folder: with all files.
        repo: such as NAME/MODEL.
        kind: of repository.
        message: of the commit.
        otherwise: what to do where the Hub refuses, a sentence.

    Raises:
        MissingExtra: huggingface_hub is not installed.
        ConfigError: the Hub refuses, or cannot be reached; the folder stays as it is.
    """
    require("`--push-to-hub`", "huggingface_hub")
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    api = HfApi()
    try:
        api.create_repo(repo, repo_type=kind, exist_ok=True)
        api.upload_folder(folder_path=folder, repo_id=repo, repo_type=kind, commit_message=message)
    except (HfHubHTTPError, OfflineModeIsEnabled, OSError, ValueError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ConfigError(f"The Hub did not take {repo!r}: {first} {otherwise}") from error
    return f"{api.endpoint}/{'datasets/' if kind == 'dataset' else ''}{repo}"
