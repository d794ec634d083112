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

/** What is wrong with the values; the text names the allowed ones, and never the given one. */
export function parameterProblems(parameters: URLSearchParams): string[] {
  return [...values].flatMap(([name, allowed]) => {
    const areKnown = parameters.getAll(name).every(value => value === '' || allowed.includes(value));
    return areKnown ? [] : [`${name} must be one of ${allowed.join(', ')}`];
  });
}
