import type { IncomingMessage, ServerResponse } from 'node:http';
import { type HttpHandler, isKeelsonError, KeelsonError, type Logger, summarizeError } from '@keelson/core';
import type { Refusal } from '../model.js';
import type { ConsoleApi } from './api.js';
import type { Asset } from './assets.js';
import { notFound, refused, tokenRequired } from './errors.js';
import { cookieName, type Guard } from './guard.js';
import type { InstanceDirectory } from './instances.js';
import type { Logins } from './logins.js';

export interface HandlerParts {
  readonly guard: Guard;
  readonly logins: Logins | undefined;
  readonly api: ConsoleApi;
  readonly instances: InstanceDirectory;
  readonly assets: () => ReadonlyMap<string, Asset>;
  readonly logger: Logger;
  /** In milliseconds since 1970. */
  readonly now: () => number;
}

const longestBodyBytes = 16_384;

/** Everything comes from the package; nothing else may be loaded, framed or sent to. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join('; ');

const headersOfAll = {
  'Content-Security-Policy': contentSecurityPolicy,
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
};

/** Serves the page and its API below the path where it is mounted. Answers every request. */
export function consoleHandler(parts: HandlerParts): HttpHandler {
  return (request, response) => answer(parts, request, response);
}

async function answer(parts: HandlerParts, request: IncomingMessage, response: ServerResponse): Promise<void> {
  for (const [name, value] of Object.entries(headersOfAll)) response.setHeader(name, value);
  try {
    const { path, parameters } = targetOf(request);
    parts.guard.checkPlace(request);
    if (path.startsWith('/api/')) await answerApi(parts, path, parameters, request, response);
    else answerAsset(parts, path, request, response);
  } catch (error) {
    const { status, refusal } = refusalOf(error);
    if (status === 500) parts.logger.error('console request failed', { error });
    sendJson(response, status, refusal);
  }
}

/** As it came: a URL parser takes `//name/api/live` for another host, and throws for `//`. */
function targetOf({ url = '/' }: IncomingMessage) {
  const at = url.indexOf('?');
  const path = at === -1 ? url : url.slice(0, at);
  return { path, parameters: new URLSearchParams(url.slice(path.length)) };
}

function answerAsset({ assets }: HandlerParts, path: string, request: IncomingMessage, response: ServerResponse): void {
  if (request.method !== 'GET' && request.method !== 'HEAD') throw methodNotAllowed();
  const asset = assets().get(path);
  if (asset === undefined) throw notFound();
  response.setHeader('Cache-Control', asset.isFixed ? 'public, max-age=31536000, immutable' : 'no-cache');
  response.setHeader('ETag', asset.etag);
  if (request.headers['if-none-match'] === asset.etag) {
    response.writeHead(304).end();
    return;
  }
  response.writeHead(200, { 'Content-Type': asset.type, 'Content-Length': asset.body.length });
  response.end(request.method === 'HEAD' ? undefined : asset.body);
}

async function answerApi(
  parts: HandlerParts,
  path: string,
  parameters: URLSearchParams,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { guard, api, instances } = parts;
  const instance = parameters.get('instance') ?? 'self';
  if (request.method === 'GET') {
    guard.checkCaller(request);
    if (instance !== 'self') {
      parameters.delete('instance');
      const { status, json } = await instances.ask(instance, `${path}?${parameters}`);
      // The token of another instance is not that of this one: the page must not ask for a login.
      sendJson(response, status === 401 ? 502 : status, json);
      return;
    }
    const found = await api.read(path, parameters);
    if (found === undefined) throw notFound();
    sendJson(response, 200, found);
    return;
  }
  if (request.method !== 'POST') throw methodNotAllowed();
  guard.checkChange(request);
  if (path === '/api/login') return logIn(parts, request, response);
  guard.checkCaller(request);
  const body = await bodyOf(request);
  if (path === '/api/logout') return logOut(request, response);
  if (path !== '/api/operations') throw notFound();
  if (instance !== 'self') {
    const { status, json } = await instances.ask(instance, path, body);
    sendJson(response, status === 401 ? 502 : status, json);
    return;
  }
  const { remoteAddress } = request.socket;
  parts.logger.info('operation requested on the console', { address: remoteAddress });
  sendJson(response, 200, await api.operate(parse(body)));
}

async function logIn({ logins, logger, now }: HandlerParts, request: IncomingMessage, response: ServerResponse) {
  const given = parse(await bodyOf(request));
  const { remoteAddress: address } = request.socket;
  const token = typeof given === 'object' && given !== null && 'token' in given ? given.token : undefined;
  if (logins === undefined) throw notFound();
  if (typeof token !== 'string' || !logins.isToken(token)) {
    logger.warn('console login failed', { address });
    throw tokenRequired(true);
  }
  logger.info('console login', { address });
  const seconds = Math.floor(logins.lifetimeMs / 1_000);
  setCookie(request, response, logins.cookieAt(now()), seconds);
  sendJson(response, 200, {});
}

function logOut(request: IncomingMessage, response: ServerResponse): void {
  setCookie(request, response, '', 0);
  sendJson(response, 200, {});
}

function setCookie(request: IncomingMessage, response: ServerResponse, value: string, seconds: number): void {
  const isSecure = request.headers['x-forwarded-proto'] === 'https' || 'encrypted' in request.socket;
  const attributes = `Path=/console; HttpOnly; SameSite=Strict; Max-Age=${seconds}${isSecure ? '; Secure' : ''}`;
  response.setHeader('Set-Cookie', `${cookieName(request)}=${value}; ${attributes}`);
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk;
    if (text.length > longestBodyBytes) throw refused('its body is too large', 'Send less.');
  }
  return text;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw refused('its body is not JSON', 'Send a JSON object.');
  }
}

function methodNotAllowed(): KeelsonError {
  return new KeelsonError({
    code: 'CONSOLE_REQUEST_REFUSED',
    message: 'The console does not answer this method here.',
    hint: 'Send GET to read and POST to change something.',
    http: { status: 405, title: 'Method not allowed' },
  });
}

function refusalOf(error: unknown): { readonly status: number; readonly refusal: Refusal } {
  if (error instanceof Error && error.name === 'ZodError') {
    const message = 'The console does not understand the request.';
    return { status: 422, refusal: { code: 'CONSOLE_REQUEST_REFUSED', message } };
  }
  const { code = 'failed', message } = summarizeError(error);
  if (!isKeelsonError(error)) return { status: 500, refusal: { code: String(code), message } };
  const isOwn = error.code.startsWith('CONSOLE_');
  const status = isOwn ? (error.http?.status ?? 500) : 409;
  return { status, refusal: { code: String(code), message, ...(error.hint !== undefined && { hint: error.hint }) } };
}

function sendJson(response: ServerResponse, status: number, answer: object | string): void {
  const body = typeof answer === 'string' ? answer : JSON.stringify(answer);
  response.writeHead(status, {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
  });
  response.end(body);
}
