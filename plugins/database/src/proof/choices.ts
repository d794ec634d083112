/** What `commitProof` may be in the configuration. */
export const commitProofChoices = ['auto', 'transaction-id', 'token', 'none'] as const;
export type CommitProofChoice = (typeof commitProofChoices)[number];
export type CommitProofName = Exclude<CommitProofChoice, 'auto'>;
