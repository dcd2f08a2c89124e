"""Embeddings of texts from a server that speaks OpenAI's API, one request a batch.

For SQL, where 'python.function' is 'openai_embeddings:Embeddings', and for streams of rows. Address
and key are where OpenAI's own client looks for them, ``OPENAI_BASE_URL`` and ``OPENAI_API_KEY`` in
the environment of the workers, unless a module of yours makes an instance with others.
"""

from typing import Any, List, Optional

import openai
from pyflink.common import Row
from pyflink_async_batch import AsyncBatchFunction


class Embeddings(AsyncBatchFunction[Any, Any]):
    """Rows with a text in their first column to rows with its embedding."""

    def __init__(self, base_url: Optional[str] = None, api_key: Optional[str] = None) -> None:
        self._base_url = base_url
        self._api_key = api_key

    def open(self, runtime_context: Any) -> None:
        # Retries are the operator's.
        self.client = openai.AsyncOpenAI(
            base_url=self._base_url, api_key=self._api_key, max_retries=0
        )

    async def async_invoke_batch(self, inputs: List[Any]) -> List[Any]:
        answer = await self.client.embeddings.create(
            model="any", input=[row[0] for row in inputs], encoding_format="float"
        )
        # By index: the order of the answer is the server's.
        embeddings = sorted(answer.data, key=lambda each: each.index)
        return [Row(each.embedding) for each in embeddings]
