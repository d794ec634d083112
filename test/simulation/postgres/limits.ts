/** The settings that end what takes too long. */
export const limitNames = ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout'] as const;
/** Also those that Keelson sets only for its migrations. */
export type LimitName = (typeof limitNames)[number] | 'idle_session_timeout' | 'transaction_timeout';
