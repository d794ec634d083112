import { parse as parseQuery } from 'node:querystring';
import express from '@keelson/http-express';
import { createServer as createExpressServer } from '@keelson/http-express/server';
import fastify from '@keelson/http-fastify';
import { createServer as createFastifyServer } from '@keelson/http-fastify/server';
import expressOf, { Router as ExpressRouter, type IRouter } from 'express';

/** Each file of these tests runs once for each server: Vitest has a project for each. */
export const framework = process.env.KEELSON_TEST_SERVER === 'fastify' ? 'fastify' : 'express';
export const isExpress = framework === 'express';

/** The plugin. */
export const http = isExpress ? express : fastify;
export const createServer = isExpress ? createExpressServer : createFastifyServer;

/** Routes of Express, as the server under test takes them: Fastify wants them in an application. */
export function Router(): IRouter {
  if (isExpress) return ExpressRouter();
  const application = expressOf().disable('x-powered-by').set('env', 'production');
  return application.set('query parser', (query: string) => parseQuery(query, '&', '=', { maxKeys: 0 }));
}
