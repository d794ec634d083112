/** The environment variable that names the proof of commits of the services; as in the configuration. */
export const proofVariable = 'KEELSON_OUTAGES_COMMIT_PROOF';

/** What the configuration of the services says. */
export function commitProof(): string {
  return process.env[proofVariable] ?? 'auto';
}
