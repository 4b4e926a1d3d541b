"""WHO: people, businesses, apps, pages, their scoped ids, and whose ids may be shown to whom."""
