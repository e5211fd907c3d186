/** Reads all that a recipe imports: from its own repository, or from what `prunec add` stored. Never from the network. */
import { basename, dirname, join, relative } from 'node:path';
import { type Diagnostic } from '../diagnostic.ts';
import {
	addressText,
	type FileAddress,
	type FilePath,
	packageOf,
	readAddress,
	type RemoteAddress,
	within,
} from '../ir/imports/address.ts';
import { type ImportedFile, type Imports, inFile, noImports } from '../ir/imports/imports.ts';
import * as messages from '../messages/import.ts';
import { readRecipe } from '../parser/read.ts';
import { type Statement, type Syntax, type TextSyntax, type UseStatement } from '../parser/syntax.ts';
import { type Lock, readLock } from './lock.ts';
import { readInside, realFolder, rootOf, segmentsOf } from './root.ts';
import { readStored } from './store.ts';

export const deepest = 32;
export const mostFiles = 256;
/** Of all imports together, in bytes. */
export const largestTotal = 2 ** 23;

/** Where an import stands: a folder of the user's repository, or of a package. */
export type Origin = { readonly folder: FilePath; readonly from?: RemoteAddress };

/**
 * The files behind the `use` statements of a recipe and, in turn, of those files. `path` is where the recipe lies;
 * absent for one from standard input or the command line, whose imports are looked for from the working folder.
 * Throws `Fault` when `prune.lock` is damaged.
 */
export function readImports(syntax: Syntax, path: string | undefined): Imports {
	if (usesOf(syntax).length === 0) return noImports;
	const own = realFolder(path === undefined ? '.' : dirname(path));
	const reading = new Reading(rootOf(own));
	const chain = path === undefined ? [] : [relative('.', join(own, basename(path)))];
	const uses = reading.all(syntax, { folder: segmentsOf(reading.root, own) }, chain);
	return { files: reading.files, uses, diagnostics: reading.diagnostics };
}

/** `readImports` for a recipe that is given as text. */
export function importsOf(text: string, path?: string): Imports {
	return readImports(readRecipe(text).syntax, path);
}

export function usesOf({ statements }: { readonly statements: readonly Statement[] }): UseStatement[] {
	return statements.filter((one) => one.kind === 'use');
}

/** The text of a recipe, or a message when it is none. */
export function recipeOf(bytes: Uint8Array, address: string): string | Diagnostic {
	try {
		return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
	} catch {
		return messages.notText({ address });
	}
}

/** A file that an address leads to. */
type Target = { readonly file: string; readonly bytes: Uint8Array; readonly origin: Origin };

class Reading {
	readonly files = new Map<string, ImportedFile>();
	readonly diagnostics: Diagnostic[] = [];
	readonly root: string;
	private lock: Lock | undefined;
	private total = 0;
	private full = false;

	constructor(root: string) {
		this.root = root;
	}

	/** `chain` holds the files on the way here, the recipe itself first. */
	all(syntax: Syntax, origin: Origin, chain: readonly string[]): Map<string, string> {
		const uses = new Map<string, string>();
		for (const { source } of usesOf(syntax)) {
			if (this.full) break;
			const found = this.one(source, origin, chain);
			if (typeof found === 'string') uses.set(source.value, found);
			else this.diagnostics.push({ ...found, span: source.span });
		}
		return uses;
	}

	/** The name of the file that is imported, which has been entered then. */
	private one(
		{ value: text, span }: TextSyntax,
		origin: Origin,
		chain: readonly string[],
	): string | Diagnostic {
		const address = readAddress(text);
		if (address.kind === 'bad')
			return messages.badAddress({ address: text, why: address.why, instead: address.instead });
		const target = address.kind === 'file' ? this.near(address, text, origin) : this.far(address, origin);
		if ('code' in target) return target;
		const { file, bytes } = target;
		if (chain.includes(file)) return messages.cycle({ path: [...chain.slice(chain.indexOf(file)), file] });
		if (this.files.has(file)) return file;
		if (chain.length > deepest) return messages.tooDeep({ address: text, limit: deepest });
		this.full = this.files.size === mostFiles;
		if (this.full) return messages.tooMany({ address: text, limit: mostFiles });
		this.total += bytes.length;
		if (this.total > largestTotal)
			return messages.tooLarge({ address: text, bytes: this.total, limit: largestTotal });
		const recipe = recipeOf(bytes, text);
		if (typeof recipe === 'string') this.enter(recipe, target, span, chain);
		return typeof recipe === 'string' ? file : recipe;
	}

	private enter(
		text: string,
		{ file, origin }: Target,
		via: ImportedFile['via'],
		chain: readonly string[],
	): void {
		const { syntax, diagnostics } = readRecipe(text);
		this.diagnostics.push(...inFile(diagnostics, file));
		const placed = { ...syntax, statements: inFile(syntax.statements, file) };
		// Entered before its own imports are, so that limits count it.
		const uses = new Map<string, string>();
		this.files.set(file, { syntax: placed, uses, via });
		for (const [address, found] of this.all(placed, origin, [...chain, file])) uses.set(address, found);
	}

	/** A relative import: in the user's repository, or in the package that the importing file came from. */
	private near(address: FileAddress, text: string, { folder, from }: Origin): Target | Diagnostic {
		const path = within(folder, address);
		if (path === undefined)
			return messages.outside({ address: text, root: from === undefined ? this.root : packageOf(from) });
		if (from !== undefined) return this.stored({ ...from, path });
		const found = readInside(this.root, path, text);
		if (!('bytes' in found)) return found;
		const file = relative('.', join(this.root, ...found.path));
		return { file, bytes: found.bytes, origin: { folder: found.path.slice(0, -1) } };
	}

	private far(address: RemoteAddress, { from }: Origin): Target | Diagnostic {
		const outsider = from !== undefined && !isLocal(from) && isLocal(address);
		return outsider ? messages.remoteLocal({ address: addressText(address) }) : this.stored(address);
	}

	private stored(address: RemoteAddress): Target | Diagnostic {
		const file = addressText(address);
		this.lock ??= readLock(this.root);
		const hash = this.lock.get(packageOf(address))?.files.get(address.path.join('/'));
		if (hash === undefined) return messages.notLocked({ address: file });
		const bytes = readStored(this.root, hash, file);
		if (!(bytes instanceof Uint8Array)) return bytes;
		return { file, bytes, origin: { folder: address.path.slice(0, -1), from: address } };
	}
}

/** Whether an address names a repository on this machine. */
export function isLocal(address: RemoteAddress): boolean {
	return address.kind === 'git' && address.host === '';
}
