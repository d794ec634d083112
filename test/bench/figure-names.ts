/** The figures of the micro benches that are goals. */
export const figureNames = {
  sessionBeyondFork: 'a session without a statement, beyond em.fork()',
  bulkBesideInsertMany: '100,000 rows by bulkInsert, beside insertMany',
  bulkBesideCopy: '100,000 rows by bulkInsert, beside COPY of the same text',
} as const;
