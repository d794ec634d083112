import { definePlugin, HealthService, HttpClient, HttpServer, Telemetry } from '@keelson/core';
import { DatabaseService } from '@keelson/database';
import { HttpRoutes, route } from '@keelson/http';
import { z } from 'zod';

const options = z.strictObject({
  apiKey: z.string().meta({ secret: true }).describe('Of the partner.'),
  /** No field of a secret: its variable has the name of one. */
  partner: z.string().describe('The address of the partner.'),
  closed: z.string().describe('An address where nothing listens.'),
});

const input = z.object({ card: z.string(), amount: z.number(), lines: z.array(z.object({ note: z.string() })) });
const answers = { 200: z.object({ done: z.boolean() }) };
const done = { body: { done: true } };

/** Does what services do without thinking of secrets: its errors and log lines quote what it was given. */
export default definePlugin<z.output<typeof options>>({
  name: 'quoting',
  config: options,
  requires: [DatabaseService, HttpServer, HttpRoutes, HttpClient, HealthService],
  optional: [Telemetry],

  start({ config, container, logger, defer }) {
    const { apiKey, partner, closed } = config;
    const database = container.get(DatabaseService);
    const client = container.get(HttpClient);
    const telemetry = container.get(Telemetry);
    const http = container.get(HttpServer);
    const health = container.get(HealthService).register({
      name: 'partner',
      critical: false,
      intervalMs: 200,
      check: async () => {
        throw new Error(`no answer of ${partner} with api_key=${apiKey}`);
      },
    });
    defer(() => health[Symbol.dispose]());
    logger.info('the partner is configured', { config, of: `${partner}?key=${apiKey}` });
    http.session(({ headers }) => ({ session: { variables: { 'app.tenant': String(headers['x-tenant'] ?? '') } } }));

    /** To the partner, with secrets in all parts; its answer is no JSON. */
    const askPartner = async (secret: string, headers: Record<string, string> = {}) => {
      const response = await client.fetch(`${partner}/${secret}?token=${secret}&q=${secret}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${secret}`, cookie: `sid=${secret}`, 'x-api-key': apiKey, ...headers },
        body: JSON.stringify({ secret }),
      });
      return response.json();
    };
    const failures: Record<string, (secret: string) => Promise<unknown>> = {
      'the answer of the partner': askPartner,
      'a header with a line break': secret => askPartner(secret, { 'x-signature': `${apiKey}${secret}\nx` }),
      'nothing listens': secret => client.fetch(`${closed}/${secret}?token=${secret}`),
      'no url': secret => client.fetch(`//${secret}`),
      'a url with a user': secret => client.fetch(`${closed.replace('//', `//me:${secret}@`)}/${secret}`),
      'a value of a wrong type': secret => database.session(em => em.execute('select ?::int', [secret])),
      'a value in the text': secret => database.session(em => em.execute(`select '${secret}'::int`)),
      'a unique value': secret =>
        database.session(async em => {
          const insert = `insert into products (sku, stock, unit_price_cents) values ('${secret}', 1, 0)`;
          await em.execute(insert);
          await em.execute(insert);
        }),
    };

    http.router('/failures', async (request, response, next) => {
      const { pathname, searchParams } = new URL(request.url ?? '', 'http://service');
      const fail = failures[decodeURIComponent(pathname.slice(1))];
      if (fail === undefined) return next();
      try {
        await fail(searchParams.get('secret') ?? '');
        response.end('{}');
      } catch (error) {
        logger.warn('a step failed', { error });
        next(new Error('the request failed', { cause: error }));
      }
    });

    container.get(HttpRoutes).mount('/quoting', [
      route({
        method: 'get',
        path: '/customers/:email',
        answers,
        handle: ({ params, query, headers }) => {
          const asked = new Error(`asked by ${headers.authorization}, ${headers.cookie}, ${headers['x-custom']}`);
          throw new AggregateError([asked], `no customer ${params.email} in ${JSON.stringify(query)}`);
        },
      }),
      route({
        method: 'get',
        path: '/texts/:text',
        answers,
        handle: ({ params }) => {
          throw `no text ${params.text}`;
        },
      }),
      route({
        method: 'get',
        path: '/tenants/:name',
        answers,
        handle: ({ params, headers }) => {
          throw new Error(`no tenant ${headers['x-tenant']}`, { cause: `of ${params.name}` });
        },
      }),
      route({
        method: 'post',
        path: '/payments',
        body: input,
        answers,
        handle: ({ body }) => {
          throw new TypeError(`cannot charge ${body.card} for ${JSON.stringify(body.lines)}`);
        },
      }),
      route({
        method: 'get',
        path: '/statements/:secret',
        answers,
        handle: async ({ em, params: { secret } }) => {
          await em.execute(`select '${secret}' /* ${secret} */, pg_sleep(0.06)`);
          for (let time = 0; time < 4; time++) await em.execute(`select ?, '${secret}'`, [secret]);
          return done;
        },
      }),
      route({
        method: 'post',
        path: '/spans',
        body: input,
        answers,
        handle: async ({ body: { card }, headers: { authorization, cookie } }) => {
          const attributes = {
            'url.full': `${partner}/?q=${card}`,
            'http.request.header.cookie': String(cookie),
            'db.query.text': `select '${card}'`,
            'user.email': card,
            password: card,
          };
          await telemetry.span({ name: `GET /partner?q=${card}`, operation: 'partner', attributes }, async span => {
            span.addEvent('asked', { token: card });
            telemetry.breadcrumb({
              category: 'partner',
              message: `asked ${partner}?token=${card}`,
              facts: { authorization },
            });
            telemetry.captureError(new Error(`refused: password=${card}`), { facts: { cookie, password: card } });
          });
          logger.warn(`partner asked, token=${card}`, { authorization, cookie, card: { password: card } });
          return done;
        },
      }),
    ]);

    return { inspect: () => ({ facts: { partner: `${partner}?api_key=${apiKey}` } }) };
  },
});
