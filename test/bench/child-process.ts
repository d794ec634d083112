import { type ChildProcess, type ForkOptions, fork } from 'node:child_process';
import { once } from 'node:events';
import { guard, release } from '@keelson/test-support/guardian';

const killAfterMs = 15_000;

/** A Node process of the bench. It is asked one thing at a time, over IPC, and ends with this process at the latest. */
export class BenchProcess implements AsyncDisposable {
  readonly pid: number;
  readonly ended: Promise<unknown>;
  readonly #child: ChildProcess;
  readonly #script: string;

  constructor(script: string, words: readonly string[], options: ForkOptions) {
    this.#script = script;
    this.#child = fork(script, words, options);
    const { pid } = this.#child;
    if (pid === undefined) throw new Error(`${script} could not be started`);
    guard(pid);
    this.pid = pid;
    this.ended = once(this.#child, 'exit').then(() => release(pid));
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** @throws Error when the process ends before it answers. */
  async ask<Answer extends object>(question: object | string): Promise<Answer> {
    const answer = this.answer<Answer>();
    this.#child.send(question);
    return answer;
  }

  /** What the process says next. */
  async answer<Answer extends object>(): Promise<Answer> {
    const ended = this.ended.then(() => {
      throw new Error(`${this.#script} ended before it answered`);
    });
    ended.catch(() => {});
    const [answer] = (await Promise.race([once(this.#child, 'message'), ended])) as [Answer | { error: string }];
    if ('error' in answer) throw new Error(`${this.#script}: ${answer.error}`);
    return answer;
  }

  async stop(): Promise<void> {
    if (!this.isRunning) return;
    const force = setTimeout(() => this.#child.kill('SIGKILL'), killAfterMs);
    this.#child.kill('SIGTERM');
    await this.ended;
    clearTimeout(force);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}
