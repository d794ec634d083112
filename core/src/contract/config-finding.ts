/** The configuration that a manifest checks. */
export interface ConfigToCheck<Config> {
  /** As the schema parsed it, defaults filled in. */
  readonly config: Config;
  /** The name of the service, from the top of the configuration. */
  readonly service: string;
  /** The environment the service is planned for: `production`; undefined when none was named. */
  readonly environment: string | undefined;
  /** The key in the configuration: `database`, or `database/reporting`. */
  readonly key: string;
}

/** A fault that a manifest finds in the configuration of its plugin. */
export interface ConfigFinding {
  /** Where, in the configuration of the plugin: `['pool', 'max']`. Left out when it is about the plugin as a whole. */
  readonly path?: readonly (string | number)[];
  /** One sentence. Holds no secret and no value. */
  readonly message: string;
  /** Default: `CONFIG_VALUE_INVALID`. */
  readonly code?: string;
  /** The allowed values: `a whole number from 1 to 100`. */
  readonly allowed?: string;
  /** What to do. */
  readonly action: string;
}
