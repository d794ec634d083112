import { type Answer, type PreparedAnswer, prepareAnswer } from '@keelson/http';
import type { Response } from 'express';

/** Turns the body into the text that `response.json` would send, with the settings of the application of `response`. */
export function prepareAsJson(answer: Answer, response: Response): PreparedAnswer {
  return prepareAnswer(answer, body => jsonText(body, response));
}

/** Writes an answer that was prepared. The session of the request commits before its first byte. */
export function sendPrepared({ status, headers, text }: PreparedAnswer, response: Response): void {
  response.status(status).set(headers);
  if (text === undefined) {
    response.end();
    return;
  }
  if (!response.get('Content-Type')) response.set('Content-Type', 'application/json');
  response.send(text);
}

function jsonText(body: unknown, { app }: Response): string | undefined {
  const text: string | undefined = JSON.stringify(body, app.get('json replacer'), app.get('json spaces'));
  return app.enabled('json escape') ? text?.replaceAll(/[<>&]/g, escaped) : text;
}

function escaped(character: string): string {
  return `\\u00${character.charCodeAt(0).toString(16)}`;
}
