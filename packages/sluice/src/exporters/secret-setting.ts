import type { SecretSetting } from './config-client.ts';

/** The files that a secret stands in: one or none. */
export function secretPaths(setting: SecretSetting | undefined): string[] {
  return setting?.kind === 'file' ? [setting.path] : [];
}

/** The secret itself; `content` is that of its file, of which one line break at the end is no part. Throws when it is empty. */
export function secretText(setting: SecretSetting, content: Buffer | undefined): string {
  const text =
    setting.kind === 'value' ? setting.secret.reveal() : (content?.toString('utf8') ?? '').replace(/\r?\n$/, '');
  if (text !== '') return text;
  const what = setting.kind === 'file' ? `the file ${setting.path}` : 'the text of a secret';
  throw new Error(`${what} is empty; expected a password or token`);
}
