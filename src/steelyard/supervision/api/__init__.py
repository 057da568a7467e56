"""A language model behind an OpenAI-compatible server: requests, retries, costs, replies."""

from steelyard.supervision.api.supervisor import Api as Api
