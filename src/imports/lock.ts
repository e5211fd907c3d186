/** `prune.lock`: what the remote imports of a repository resolved to. Written by `add` and `update`, read by everything else. */
import { createHash } from 'node:crypto';
import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ValidateFunction } from 'ajv';
import { Fault } from '../diagnostic.ts';
import { lockInvalid } from '../messages/import.ts';
import { validateLock } from './lock-validator.ts';
import { readRegular } from './root.ts';

/** Of an npm package a version, of a git repository a commit; and the hash of each file that is used, by path. */
export type Locked = {
	readonly version?: string;
	readonly commit?: string;
	readonly files: ReadonlyMap<string, string>;
};
/** By package, as `packageOf` names it. */
export type Lock = ReadonlyMap<string, Locked>;

/** `sha256-` and the digest in base64, as in Subresource Integrity (https://www.w3.org/TR/SRI/). */
export function integrity(bytes: Uint8Array): string {
	return `sha256-${createHash('sha256').update(bytes).digest('base64')}`;
}

type LockJson = {
	readonly schema: 'prunec/lock@1';
	readonly imports: Readonly<
		Record<
			string,
			{ readonly version?: string; readonly commit?: string; readonly files: Record<string, string> }
		>
	>;
};

const name = 'prune.lock';
const largestLock = 2 ** 23;
const validate = validateLock as ValidateFunction<LockJson>;

/** The lock of a repository, empty when there is none. Throws `Fault` when it is not what `add` writes. */
export function readLock(root: string): Lock {
	const path = join(root, name);
	if (!existsSync(path)) return new Map();
	const fail = (why: string): never => {
		throw new Fault(lockInvalid({ path: name, why }));
	};
	const json = jsonOf(path, fail);
	if (!validate(json)) {
		const { instancePath = '', message = '' } = validate.errors?.[0] ?? {};
		return fail(`${instancePath === '' ? 'it' : `\`${instancePath}\``} ${message}`);
	}
	const entries = Object.entries(json.imports);
	return new Map(
		entries.map(([key, { files, ...pin }]) => [key, { ...pin, files: new Map(Object.entries(files)) }]),
	);
}

function jsonOf(path: string, fail: (why: string) => never): unknown {
	let bytes: ReturnType<typeof readRegular>;
	try {
		bytes = readRegular(path, name, largestLock);
	} catch (problem) {
		return fail((problem as NodeJS.ErrnoException).code ?? 'it cannot be read');
	}
	if (!(bytes instanceof Uint8Array)) return fail(bytes.message);
	try {
		return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
	} catch (problem) {
		return fail(
			problem instanceof SyntaxError ? `it is no JSON (${problem.message})` : 'it is not text in UTF-8',
		);
	}
}

/** The text of a lock: packages and files in the order of their names. */
export function lockText(lock: Lock): string {
	const sorted = <T>(map: ReadonlyMap<string, T>): [string, T][] =>
		[...map].toSorted(([a], [b]) => (a < b ? -1 : Number(a > b)));
	const imports = sorted(lock).map(([key, { files, ...pin }]) => [
		key,
		{ ...pin, files: Object.fromEntries(sorted(files)) },
	]);
	return `${JSON.stringify({ schema: 'prunec/lock@1', imports: Object.fromEntries(imports) as object }, undefined, '\t')}\n`;
}

export function writeLock(root: string, lock: Lock): void {
	const path = join(root, name);
	writeFileSync(`${path}.new`, lockText(lock));
	renameSync(`${path}.new`, path);
}

/** What is different, in words, a change each. */
export function lockChanges(before: Lock, after: Lock): string[] {
	const pinOf = ({ version, commit = '' }: Locked): string => version ?? commit.slice(0, 12);
	const fileChanges = (key: string, was: Locked, now: Locked): string[] => [
		...[...now.files]
			.filter(([path, hash]) => was.files.get(path) !== hash)
			.map(([path]) => `${key}: ${path} ${was.files.has(path) ? 'is another' : 'is new'}`),
		...[...was.files.keys()]
			.filter((path) => !now.files.has(path))
			.map((path) => `${key}: ${path} is not used`),
	];
	return [
		...[...after].flatMap(([key, now]) => {
			const was = before.get(key);
			if (was === undefined) return [`${key} is new, at ${pinOf(now)}`];
			return pinOf(was) === pinOf(now)
				? fileChanges(key, was, now)
				: [`${key} goes from ${pinOf(was)} to ${pinOf(now)}`];
		}),
		...[...before.keys()].filter((key) => !after.has(key)).map((key) => `${key} is not used`),
	];
}
