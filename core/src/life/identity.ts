/** Which service: the same configuration in the same environment. */
export interface Identity {
  /** The file, as it was named. */
  readonly config: string;
  readonly environment: string | undefined;
}
