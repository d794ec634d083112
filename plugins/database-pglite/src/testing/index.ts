export { type EmbeddedDatabaseOptions, embeddedDatabase } from './embedded-database.js';
