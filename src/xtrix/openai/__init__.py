"""What OpenAI's two protocols, Chat Completions and Responses, have in common."""
