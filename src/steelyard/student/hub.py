"""Put the folder of a saved student on the Hugging Face Hub."""

from pathlib import Path

from steelyard.errors import ConfigError


def push_to_hub(folder: Path, repo: str) -> str:
    """Upload a model's folder as a repository of the Hub, made if it is missing; its address.

    Raises:
        ConfigError: the Hub refuses, or cannot be reached; the folder stays as it is.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    api = HfApi()
    try:
        api.create_repo(repo, exist_ok=True)
        api.upload_folder(
            folder_path=folder, repo_id=repo, commit_message="A student of weak labels"
        )
    except (HfHubHTTPError, OfflineModeIsEnabled, OSError, ValueError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ConfigError(
            f"The Hub did not take {repo!r}: {first} The model is whole in {folder}; log in with "
            "`hf auth login` and upload it with `hf upload`."
        ) from error
    return f"{api.endpoint}/{repo}"
