/** The command line as a process, from its bundle, in folders of its own; with faults of the disk where wanted. */
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle } from '../../scripts/bundle.ts';

export const program = fileURLToPath(new URL('../../dist/prunec.cjs', import.meta.url));
let bundled: Promise<unknown> | undefined;

export type Ended = { readonly status: number | null; readonly stdout: string; readonly stderr: string };
export type Options = {
	readonly cwd?: string;
	readonly input?: string;
	readonly env?: Readonly<Record<string, string>>;
	/** A module that runs first, as source. */
	readonly preload?: string;
};

/** Makes the bundle that the other functions run; call it first. */
export function ready(): Promise<unknown> {
	bundled ??= bundle(program);
	return bundled;
}

function commandLine(args: readonly string[], preload?: string): string[] {
	const first =
		preload === undefined ? [] : ['--import', `data:text/javascript,${encodeURIComponent(preload)}`];
	return [...first, program, ...args];
}

export function prunec(args: readonly string[], { cwd, input, env, preload }: Options = {}): Ended {
	const { status, stdout, stderr } = spawnSync(process.execPath, commandLine(args, preload), {
		...{ cwd, input, encoding: 'utf8', env: { ...process.env, ...env } },
	});
	return { status, stdout, stderr };
}

/** Starts it, calls `meanwhile` every 20 ms until that returns true, sends the signal, and waits for the end. */
export async function interrupted(
	args: readonly string[],
	cwd: string,
	signal: NodeJS.Signals,
	meanwhile: () => boolean,
): Promise<Ended> {
	const child = spawn(process.execPath, commandLine(args), { cwd });
	const said = { stdout: '', stderr: '' };
	for (const name of ['stdout', 'stderr'] as const)
		child[name].setEncoding('utf8').on('data', (text: string) => (said[name] += text));
	const end = new Promise<number | null>((resolve) => child.on('close', resolve));
	const timer = setInterval(() => {
		if (!meanwhile()) return;
		clearInterval(timer);
		child.kill(signal);
	}, 20);
	const status = await end;
	clearInterval(timer);
	return { status, ...said };
}

const folders: string[] = [];

/** A new folder with copies of files in it, by their new names. */
export function folderWith(files: Readonly<Record<string, string>> = {}): string {
	const folder = mkdtempSync(join(tmpdir(), 'prunec-cli-'));
	folders.push(folder);
	for (const [name, from] of Object.entries(files)) cpSync(from, join(folder, name));
	return folder;
}

/** Everything in a folder, hidden names too. */
export function everything(folder: string): string[] {
	return readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
}

export function removeFolders(): void {
	for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}

const patched = (name: string, body: string): string =>
	`import fs from 'node:fs'; import { syncBuiltinESMExports } from 'node:module';
const real = fs.${name}; const fail = (code) => { throw Object.assign(new Error(code + ': injected'), { code }); };
fs.${name} = ${body}; syncBuiltinESMExports();`;

/** A disk that takes at most `space` bytes, a few at a time: every write is short. */
export const fullAfter = (space: number): string =>
	patched(
		'writeSync',
		`(() => { let left = ${space}; return (fd, bytes, offset, length) => {
	if (fd < 3) return real(fd, bytes, offset, length);
	if (left === 0) fail('ENOSPC');
	const count = real(fd, bytes, offset, Math.min(length, left, 70001));
	left -= count;
	return count; }; })()`,
	);

/** A function of `node:fs` that always fails. */
export const failing = (name: string, code: string): string => patched(name, `() => fail('${code}')`);

/** A function of `node:fs` that is not permitted on paths of this ending. */
export const forbidden = (name: string, ending: string): string =>
	patched(
		name,
		`(path, ...rest) => String(path).endsWith('${ending}') ? fail('EACCES') : real(path, ...rest)`,
	);

/** A process that dies, as by SIGKILL, when it is about to give the `count`th name. */
export const killedAtRename = (count: number): string =>
	patched(
		'renameSync',
		`(() => { let seen = 0; return (...all) => {
	if (++seen === ${count}) { process.kill(process.pid, 'SIGKILL'); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0); }
	return real(...all); }; })()`,
	);
