/** What stands in every output where a secret would. */
export const masked = '[masked]';
