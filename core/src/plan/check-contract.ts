import type { Problem } from '../config/problem.js';
import { contractVersion } from '../contract/contract-version.js';
import { choiceOf, type PlannedPlugin } from './plan.js';

/** What the plugins of this version of the kernel ask for. Every other range needs the parser of ranges, which is heavy. */
const usual = `^${contractVersion}`;

/** Which plugins are made for another version of the contract. */
export async function checkContracts(plugins: readonly PlannedPlugin[]): Promise<Problem[]> {
  const others = plugins.filter(({ manifest: { contract } }) => contract !== undefined && contract !== usual);
  if (others.length === 0) return [];
  const [satisfies, validRange] = await Promise.all([
    import('semver/functions/satisfies.js'),
    import('semver/ranges/valid.js'),
  ]);
  return others.flatMap(plugin => {
    const range = plugin.manifest.contract ?? '*';
    if (satisfies.default(contractVersion, range, { includePrerelease: true })) return [];
    return [mismatch(plugin, range, validRange.default(range) !== null)];
  });
}

function mismatch(plugin: PlannedPlugin, range: string, isRange: boolean): Problem {
  return {
    code: 'PLAN_CONTRACT_MISMATCH',
    message: isRange
      ? `${plugin.use} works with the plugin contract ${range}, but @keelson/core has the contract ${contractVersion}.`
      : `${plugin.use} asks for the contract ${JSON.stringify(range)}, which is not a version range.`,
    ...choiceOf(plugin),
    action: `Install a version of ${plugin.use} that is made for @keelson/core ${contractVersion}.`,
  };
}
