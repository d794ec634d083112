// What the bench gives each service: where to listen, and which database to use with how many connections.
import { readFileSync } from 'node:fs';

const { PORT, DATABASE_URL, POOL_MAX } = process.env;
const certificate = new URL(DATABASE_URL).searchParams.get('sslrootcert');

export const settings = {
  port: Number(PORT),
  host: '127.0.0.1',
  databaseUrl: DATABASE_URL,
  poolMax: Number(POOL_MAX),
  // For MikroORM, which reads no parameters of a url; undefined without TLS.
  ssl: certificate === null ? undefined : { ca: readFileSync(certificate, 'utf8') },
};
