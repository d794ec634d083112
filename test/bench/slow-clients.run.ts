// `node test/bench/slow-clients.run.ts`: what a client waits beside slow ones. The flags are in slow-clients.ts.
import './resolve-sources.ts';

// Only now: what it imports needs the file above.
const { main } = await import('./slow-clients.js');
await main(process.argv.slice(2));
