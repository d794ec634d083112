/**
 * Parameters of a url that have a fixed set of values, each with those that pg understands or ignores. With any other it does
 * something else than was meant: `sslmode=of` and `ssl=false` ask for TLS, `client_encoding=latin1` stores other texts.
 */
const values: ReadonlyMap<string, readonly string[]> = new Map<string, readonly string[]>([
  ['sslmode', ['disable', 'no-verify', 'prefer', 'require', 'verify-ca', 'verify-full']],
  ['ssl', ['true', '1', '0', 'no-verify']],
  ['sslnegotiation', ['postgres', 'direct']],
  ['uselibpqcompat', ['true', 'false']],
  ['client_encoding', ['UTF8', 'UTF-8', 'utf8', 'utf-8']],
  ['replication', ['false', 'off', 'no', '0']],
  ['channel_binding', ['disable', 'prefer', 'require']],
  ['gssencmode', ['disable', 'prefer', 'require']],
  ['load_balance_hosts', ['disable', 'random']],
  ['sslcertmode', ['disable', 'allow', 'require']],
]);

/** All that say how a connection is encrypted. */
export const tlsParameters = [
  'sslmode',
  'ssl',
  'sslcert',
  'sslkey',
  'sslrootcert',
  'sslnegotiation',
  'uselibpqcompat',
] as const;

/** Whether a connection without TLS is less than what the parameters ask for. As to pg, a file is a wish for TLS. */
export function asksForTls(parameters: URLSearchParams): boolean {
  const mode = parameters.get('sslmode') ?? '';
  if (mode === 'disable' || mode === 'prefer') return false;
  if (mode !== '' || parameters.get('sslnegotiation') === 'direct') return true;
  if (['true', '1', 'no-verify'].includes(parameters.get('ssl') ?? '')) return true;
  return ['sslcert', 'sslkey', 'sslrootcert'].some(name => (parameters.get(name) ?? '') !== '');
}

/** What is wrong with the values; the text names the allowed ones, and never the given one. */
export function parameterProblems(parameters: URLSearchParams): string[] {
  return [...values].flatMap(([name, allowed]) => {
    const areKnown = parameters.getAll(name).every(value => value === '' || allowed.includes(value));
    return areKnown ? [] : [`${name} must be one of ${allowed.join(', ')}`];
  });
}
