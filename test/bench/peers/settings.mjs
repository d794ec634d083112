// What the bench gives each service: where to listen, and which database to use with how many connections.
const { PORT, DATABASE_URL, POOL_MAX } = process.env;

export const settings = { port: Number(PORT), host: '127.0.0.1', databaseUrl: DATABASE_URL, poolMax: Number(POOL_MAX) };
