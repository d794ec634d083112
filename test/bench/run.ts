// `npm run bench`: the micro benches, and the bench of requests. The flags are in options.ts.
import './resolve-sources.ts';

// Only now: what it imports needs the file above.
const { main } = await import('./main.js');
process.exitCode = await main(process.argv.slice(2));
