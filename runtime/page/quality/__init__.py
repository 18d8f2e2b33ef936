"""The quality page: parts looked for, one part looked into, scores over days, what people say."""
