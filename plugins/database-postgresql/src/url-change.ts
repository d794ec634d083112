import { reloadRefused } from '@keelson/database';
import { hostListOf } from './host-list.js';
import type { PostgresqlOptions } from './options.js';
import { tlsParameters } from './url-parameters.js';

/**
 * What a reload changes in the url, beside its password: `none`, or `connections` for where they go, as whom, and how they
 * are encrypted.
 *
 * @throws KeelsonError `DATABASE_RELOAD_REFUSED` when it names another database, or other settings of its sessions: what the
 * service has found there when it started (tables, migrations, engine) may not hold any more.
 */
export function urlChange(before: PostgresqlOptions, after: PostgresqlOptions): 'none' | 'connections' {
  const [old, now] = [partsOf(before), partsOf(after)];
  if (old.database !== now.database) throw reloadRefused('another database');
  if (old.settings !== now.settings) throw reloadRefused('other settings of its sessions');
  return old.place === now.place ? 'none' : 'connections';
}

const ofLogin = ['user', 'password'];

function partsOf({ url, user }: PostgresqlOptions) {
  const { urls, target } = hostListOf(url);
  const addresses = urls.map(one => /^[^:]+:\/\/(?:([^:/?#]*)(?::[^/?#]*)?@)?([^/?#]*)([^?]*)\??(.*)$/.exec(one) ?? []);
  const [first = []] = addresses;
  const [, inUrl, , database = '', query = ''] = first;
  const parameters = new URLSearchParams(query);
  const tls = tlsParameters.map(name => parameters.get(name));
  const asUser = user ?? parameters.get('user') ?? inUrl;
  for (const name of [...tlsParameters, ...ofLogin]) parameters.delete(name);
  parameters.sort();
  const hosts = addresses.map(([, , host]) => host);
  return { database, settings: String(parameters), place: JSON.stringify([hosts, target, tls, asUser]) };
}
