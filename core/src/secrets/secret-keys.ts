/** Keys whose values never leave the process in a log line or an event, in any spelling: `apiKey`, `x-api-key`, `API_KEY`. */
export const defaultSecretKeys: readonly string[] = [
  'password',
  'passwords',
  'passwd',
  'passphrase',
  'pwd',
  'secret',
  'secrets',
  'token',
  'tokens',
  'jwt',
  'authorization',
  'cookie',
  'cookies',
  'credential',
  'credentials',
  'dsn',
  'api-key',
  'access-key',
  'private-key',
  'connection-string',
];

const longestMemory = 1_000;

/**
 * A question to ask of a key: does it name a secret? True when one of `secretKeys` is a whole word of it
 * (`accessToken`, `token_hash`) or its end (`accesstoken`), whatever the case and the separators.
 */
export function secretKeyMatcher(secretKeys: readonly string[]): (key: string) => boolean {
  const secrets = secretKeys.map(words);
  const known = new Map<string, boolean>();
  return key => {
    const remembered = known.get(key);
    if (remembered !== undefined) return remembered;
    const answer = namesSecret(words(key), secrets);
    if (known.size < longestMemory) known.set(key, answer);
    return answer;
  };
}

function namesSecret(key: readonly string[], secrets: readonly (readonly string[])[]): boolean {
  const spaced = `-${key.join('-')}-`;
  const joined = key.join('');
  return secrets.some(secret => spaced.includes(`-${secret.join('-')}-`) || joined.endsWith(secret.join('')));
}

function words(key: string): string[] {
  return key
    .slice(0, 200)
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .split(/[^A-Za-z0-9]+/)
    .filter(word => word !== '')
    .map(word => word.toLowerCase());
}
