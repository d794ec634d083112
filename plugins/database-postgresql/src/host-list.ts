import { isSocket } from './host.js';
import { asksForTls, parameterProblems } from './url-parameters.js';

/** What a server must be, in the words of libpq (PostgreSQL manual, 32.1.2). */
export const targets = ['any', 'read-write', 'read-only', 'primary', 'standby', 'prefer-standby'] as const;
export type Target = (typeof targets)[number];

export interface HostList {
  /** One url for each server, in the order in which they are tried; they differ in host and port only. */
  readonly urls: readonly string[];
  readonly target: Target;
}

export interface UrlProblem {
  /** Which of several urls it is about. */
  readonly index?: number;
  /** Holds nothing of the url: where it is malformed, the password in it cannot be located. */
  readonly message: string;
}

/**
 * The servers that one url (`postgresql://user:password@a:5432,b:5432/database?target_session_attrs=read-write`), or a
 * list of urls, names. The target of several is `read-write` unless they say otherwise, of one `any`.
 *
 * @throws Error for what `urlProblems` finds fault with.
 */
export function hostListOf(given: string | readonly string[]): HostList {
  const parsed = asList(given).map(parse);
  const urls = parsed.flatMap(url => url.hosts.map(host => `${url.before}${host}${url.after}`));
  const target = parsed.map(url => url.target).find(named => named !== undefined);
  if (parsed.some(({ problems }) => problems.length > 0)) throw new Error('bug: a malformed url was not refused');
  return { urls, target: isTarget(target) ? target : urls.length > 1 ? 'read-write' : 'any' };
}

/** Everything that is wrong with what `hostListOf` is to take. */
export function urlProblems(given: string | readonly string[]): UrlProblem[] {
  const parsed = asList(given).map(parse);
  const at = (index: number) => (typeof given === 'string' ? {} : { index });
  const own = parsed.flatMap(({ problems }, index) => problems.map(message => ({ ...at(index), message })));
  return own.length > 0 ? own : unlike(parsed).map(index => ({ ...at(index), message: likeTheFirst }));
}

/** Several servers of one kind, none of them special. */
export function replicaUrlProblems(urls: readonly string[]): UrlProblem[] {
  const parsed = urls.map(parse);
  return parsed.flatMap(({ problems, target }, index) => [
    ...problems.map(message => ({ index, message })),
    ...(target === undefined ? [] : [{ index, message: 'target_session_attrs means nothing for a replica' }]),
  ]);
}

interface ParsedUrl {
  /** Scheme, user and password. */
  readonly before: string;
  /** Each as it stands in a url: `db:5432`, `[::1]`, `%2Fvar%2Frun`. */
  readonly hosts: readonly string[];
  /** Database and parameters, without the target. */
  readonly after: string;
  readonly target: string | undefined;
  readonly problems: readonly string[];
}

const likeTheFirst = 'must be the same as the first url, except for host and port';
const pattern = /^(postgres(?:ql)?:\/\/(?:[^/?#]*@)?)([^/?#@]*)([^?#]*)(?:\?([^#]*))?$/i;
const hostPattern = /^(?:\[[\d:.a-f]+\]|[^:[\]\s]*)(?::(\d+))?$/i;

function parse(url: string): ParsedUrl {
  const [, before = '', authority = '', path = '', query = ''] = pattern.exec(url) ?? [];
  const parameters = new URLSearchParams(query);
  const target = parameters.get('target_session_attrs') ?? undefined;
  const wrong = parameterProblems(parameters);
  const wantsTls = asksForTls(parameters);
  const inQuery = takeHosts(parameters);
  parameters.delete('target_session_attrs');
  const hosts = inQuery ?? authority.split(',');
  const after = `${path}${parameters.size === 0 ? '' : `?${parameters}`}`;
  const problems = hasUnencoded(url, before, path, query)
    ? [unencoded]
    : before === ''
      ? [/^(?:socket:|\/)/.test(url) ? notASocketUrl : notAUrl]
      : [
          ...problemsOf(hosts, host => `${before}${host}${after}`, target),
          ...socketProblems(hosts, wantsTls),
          ...wrong,
        ];
  return { before, hosts, after, target, problems };
}

/** The other way to name several: `?host=a,b&port=5432,5433`, with one port for all or one for each. */
function takeHosts(parameters: URLSearchParams): string[] | undefined {
  const hosts = parameters.get('host')?.split(',');
  if (hosts === undefined) return undefined;
  const ports = parameters.get('port')?.split(',') ?? [];
  parameters.delete('host');
  parameters.delete('port');
  return hosts.map((host, index) => {
    const port = ports[ports.length === 1 ? 0 : index] ?? '';
    const name = isSocket(host) || host.startsWith('@') ? encodeURIComponent(host) : bracketed(host);
    return port === '' ? name : `${name}:${port}`;
  });
}

/** `db`, `[::1]`. */
function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

const unencoded =
  'special characters in user and password must be percent-encoded: / as %2F, # as %23, ? as %3F, % as %25, a space as %20';

/** What stands as it is in a user or a password, and would be read as the end of it, or as another character. */
function hasUnencoded(url: string, before: string, path: string, query: string): boolean {
  if (!/^postgres(?:ql)?:\/\//i.test(url)) return false;
  const cutShort = url.includes('#') || path.includes('@') || (!before.includes('@') && /^[^=&]*@/.test(query));
  return cutShort || /\s/.test(before) || !canDecode(before);
}

function canDecode(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

const notAUrl = 'must be a url like postgresql://user:password@host:5432/database';

const notASocketUrl = 'a unix socket is written postgresql://user@/database?host=/directory&port=5432';

/** What is wrong with the hosts that are directories of unix sockets. */
function socketProblems(hosts: readonly string[], wantsTls: boolean): string[] {
  const names = hosts.filter(host => canDecode(host)).map(host => decodeURIComponent(host.replace(/:\d+$/, '')));
  const problems: string[] = [];
  if (names.some(name => name.startsWith('@'))) problems.push(abstractSocket);
  if (names.some(name => /^\/.*\/\.s\.PGSQL\.\d+$/.test(name))) problems.push(socketFile);
  if (wantsTls && names.some(isSocket)) problems.push(tlsOverSocket);
  return problems;
}

const abstractSocket = 'a host that begins with @ is an abstract socket, which pg cannot open: name a directory';
const socketFile = 'its host must be the directory of the unix socket, without the file .s.PGSQL.5432 in it';
const tlsOverSocket =
  'PostgreSQL does not support TLS over a unix socket: remove the ssl parameters, or write sslmode=prefer to use TLS only over the network';

function problemsOf(hosts: readonly string[], urlOf: (host: string) => string, target: string | undefined): string[] {
  const problems = hosts.flatMap((host, index) => {
    const port = hostPattern.exec(host)?.[1];
    const which = hosts.length === 1 ? 'its host' : `its host number ${index + 1}`;
    if (!hostPattern.test(host)) return [`${which} is not a name, or its port not a number; ${encodeHint}`];
    if (host.replace(/:\d+$/, '') === '' && hosts.length > 1) return [`${which} is empty`];
    return port === undefined || isPort(Number(port)) ? [] : [`${which} has a port that is not from 1 to 65535`];
  });
  if (problems.length === 0 && !hosts.every(host => canParse(urlOf(host)))) problems.push(notAUrl);
  if (target !== undefined && !isTarget(target)) {
    problems.push(`target_session_attrs must be one of ${targets.join(', ')}`);
  }
  return problems;
}

const encodeHint = 'special characters in user and password must be percent-encoded, as %XX';

/** Without a host a url is none to the standard, but names the default one to PostgreSQL. */
function canParse(url: string): boolean {
  return URL.canParse(url) || URL.canParse(url.replace(/(\/\/|@)(?=[/?]|$)/, '$1localhost'));
}

function isPort(port: number): boolean {
  return port >= 1 && port <= 65_535;
}

function isTarget(text: string | undefined): text is Target {
  return targets.some(target => target === text);
}

function asList(given: string | readonly string[]): readonly string[] {
  return typeof given === 'string' ? [given] : given;
}

/** The indexes of urls that differ from the first in more than their hosts. */
function unlike(parsed: readonly ParsedUrl[]): number[] {
  const [first] = parsed;
  const isLike = (url: ParsedUrl) =>
    url.before === first?.before && url.after === first.after && url.target === first.target;
  return parsed.flatMap((url, index) => (isLike(url) ? [] : [index]));
}
