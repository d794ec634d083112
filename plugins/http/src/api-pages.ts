import { existsSync, readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { findPackageJSON } from 'node:module';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { HttpHandler } from '@keelson/core';
import type { OpenApiDocument } from './open-api.js';

type Handler = (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => unknown;

/** Serves the API description at exactly the path where it is mounted. */
export function documentHandler(document: () => Promise<OpenApiDocument>): HttpHandler {
  let text: Promise<string> | undefined;
  return answering(async (path, response) => {
    if (path !== '/') return false;
    text ??= document().then(made => JSON.stringify(made));
    send(response, 'application/json', await text.catch(forget));
    return true;
  });

  /** A description that could not be made may be possible once the mistake is repaired by a reload. */
  function forget(error: unknown): never {
    text = undefined;
    throw error;
  }
}

/** The files of the page, by name. The script and the style are those of Swagger UI; nothing comes from another server. */
const assets: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'favicon-32x32.png': 'image/png',
};

/** Only what this server serves: no inline script, no other host, no frame. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/**
 * Serves a page to read and try the API whose description is at `documentPath`. All addresses on it are relative, so that
 * it works behind a proxy that adds a prefix.
 */
export function pageHandler({ pagePath, documentPath, title }: PageFacts): HttpHandler {
  const name = posix.basename(pagePath);
  const page = pageText({ title, name });
  const start = startText({ url: posix.relative(posix.dirname(pagePath), documentPath) });
  return answering(async (path, response, request) => {
    if (path === '/') {
      if (pathOf(originalUrl(request)).endsWith('/')) redirect(response, `../${name}`);
      else send(response, 'text/html; charset=utf-8', page, contentSecurityPolicy);
      return true;
    }
    const file = path.slice(1);
    if (file === 'start.js') {
      send(response, 'text/javascript; charset=utf-8', start);
      return true;
    }
    const type = Object.hasOwn(assets, file) ? assets[file] : undefined;
    if (type === undefined) return false;
    const folder = assetFolder();
    if (folder === undefined) return false;
    send(response, type, readFileSync(join(folder, file)));
    return true;
  });
}

export interface PageFacts {
  /** Where the page is: `/docs`. */
  readonly pagePath: string;
  /** Where the description is: `/openapi.json`. */
  readonly documentPath: string;
  readonly title: string;
}

/** `answer` says false for a path that is not its own. Only GET and HEAD are answered. */
function answering(
  answer: (path: string, response: ServerResponse, request: IncomingMessage) => Promise<boolean>,
): Handler {
  return async (request, response, next) => {
    const { method, url = '/' } = request;
    if (method !== 'GET' && method !== 'HEAD') return next();
    try {
      if (!(await answer(pathOf(url), response, request))) next();
    } catch (error) {
      next(error);
    }
  };
}

function pathOf(url: string): string {
  const [path = '/'] = url.split('?');
  return path === '' ? '/' : path;
}

/** Where the request was sent to; `url` is what follows the mount. */
function originalUrl(request: IncomingMessage): string {
  const original: unknown = Reflect.get(request, 'originalUrl');
  return typeof original === 'string' ? original : (request.url ?? '/');
}

function send(response: ServerResponse, type: string, body: string | Uint8Array, policy?: string): void {
  response.setHeader('Content-Type', type);
  response.setHeader('Cache-Control', 'no-cache');
  response.setHeader('X-Content-Type-Options', 'nosniff');
  if (policy !== undefined) response.setHeader('Content-Security-Policy', policy);
  response.setHeader('Content-Length', Buffer.byteLength(body));
  response.end(body);
}

function redirect(response: ServerResponse, location: string): void {
  response.writeHead(302, { Location: location }).end();
}

/**
 * In a published package its own folder; beside a bundle, `assets`; in the repository that of the package they come from.
 * Undefined where nobody has put them beside a bundle.
 */
function assetFolder(): string | undefined {
  const [own, beside] = ['../assets/', './assets/'].map(folder => fileURLToPath(new URL(folder, import.meta.url)));
  const found = [beside, own].find(folder => folder !== undefined && existsSync(join(folder, 'swagger-ui.css')));
  return found ?? installedAssets();
}

function installedAssets(): string | undefined {
  try {
    const file = findPackageJSON('swagger-ui-dist', import.meta.url);
    return file === undefined ? undefined : dirname(file);
  } catch {
    return undefined;
  }
}

function pageText({ title, name }: { readonly title: string; readonly name: string }): string {
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>${escaped(title)}</title>
    <link rel="icon" href="./${name}/favicon-32x32.png">
    <link rel="stylesheet" href="./${name}/swagger-ui.css">
  </head>
  <body>
    <main id="page"></main>
    <script src="./${name}/swagger-ui-bundle.js"></script>
    <script src="./${name}/start.js"></script>
  </body>
</html>
`;
}

function startText(facts: { readonly url: string }): string {
  const options = { ...facts, dom_id: '#page', deepLinking: true, tryItOutEnabled: true, validatorUrl: null };
  return `window.page = SwaggerUIBundle(${JSON.stringify(options)});\n`;
}

function escaped(text: string): string {
  return text.replaceAll(/[&<>"]/g, character => `&#${character.charCodeAt(0)};`);
}
