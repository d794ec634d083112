import type { LoadedConfig } from '../config/load-config.js';
import { closest } from '../config/node.js';
import { joinPath } from '../config/place.js';
import type { Problem } from '../config/problem.js';
import type { ConfigFinding } from '../contract/config-finding.js';
import { looksSecret } from '../secrets/looks-secret.js';
import { showValue } from '../secrets/show-value.js';
import { choiceOf, type PlannedPlugin } from './plan.js';

/** What the manifest of `plugin` finds wrong with its configuration; nothing when its schema has refused that already. */
export function checkConfig(plugin: PlannedPlugin, { settings, environment }: LoadedConfig): Problem[] {
  const { manifest, config, key } = plugin;
  if (manifest.check === undefined || config === undefined) return [];
  try {
    const found: unknown = manifest.check({ config, service: settings.service, environment, key });
    if (Array.isArray(found) && found.every(isFinding)) return found.map(finding => problemOf(finding, plugin));
    return [brokenCheck(plugin, 'did not return a list of findings')];
  } catch (error) {
    return [brokenCheck(plugin, `threw: ${error instanceof Error ? error.message : String(error)}`)];
  }
}

/** A manifest may be plain JavaScript. */
function isFinding(value: unknown): value is ConfigFinding {
  const finding = value as Partial<ConfigFinding> | null | undefined;
  return typeof finding?.message === 'string' && (finding.path === undefined || Array.isArray(finding.path));
}

function problemOf({ path = [], code, message, allowed, action }: ConfigFinding, plugin: PlannedPlugin): Problem {
  const node = closest(plugin.values.node, path);
  const secret = node.kind === 'scalar' && (node.secret === true || path.some(step => looksSecret(String(step))));
  return {
    code: code ?? 'CONFIG_VALUE_INVALID',
    message,
    path: joinPath('plugins', plugin.key, ...path),
    origin: path.length === 0 || node.origin.from === 'default' ? plugin.origin : node.origin,
    ...(node.kind === 'scalar' && { value: showValue(node.value, secret) }),
    ...(allowed !== undefined && { allowed }),
    ...(action !== undefined && { action }),
  };
}

function brokenCheck(plugin: PlannedPlugin, what: string): Problem {
  return {
    code: 'PLUGIN_INVALID',
    message: `${plugin.use} is not a usable plugin: its check ${what}.`,
    ...choiceOf(plugin),
    action: 'Return a list of { path, message, action } from check, or an empty list for a valid configuration.',
  };
}
