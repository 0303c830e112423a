// Recorded requests, judged by the rules of the scripted model (`agentd-scripted-model --validate`).
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { promisify } from 'node:util';

import { patience } from './processes.mjs';

/**
 * What the rules find in `lines`, JSON texts of {conversation, body, reply}: a text for each
 * fault. `file` is where they are put for the program `model`.
 */
export async function findings(model, file, lines) {
  writeFileSync(file, lines.map((line) => `${line}\n`).join(''));
  const judge = promisify(execFile)(model, ['--validate', file], { maxBuffer: 1 << 26, timeout: patience });
  const { stdout } = await judge.catch((error) => ({ stdout: error.stdout || error.message }));
  const all = stdout.trimEnd().split('\n');
  const total = all.pop();
  return total === `${lines.length} requests, ${all.length} findings` ? all : [...all, total];
}
