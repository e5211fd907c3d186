/** Resolves the remote imports of a repository, keeps their files, and writes `prune.lock`: the one place that uses the network. */
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault, hasErrors, type Diagnostic } from '../diagnostic.ts';
import { addressText, packageOf, readAddress, type RemoteAddress, within } from '../ir/imports/address.ts';
import { inFile } from '../ir/imports/imports.ts';
import * as messages from '../messages/import.ts';
import { readRecipe } from '../parser/read.ts';
import { inNewFolder, type Package, type Permissions } from './fetch.ts';
import { fetchRepository, permit } from './git.ts';
import { integrity, type Lock, lockChanges, type Locked, readLock, writeLock } from './lock.ts';
import { fetchPackage, installedPackage } from './npm.ts';
import { isLocal, recipeOf, usesOf } from './read.ts';
import { readStored, store } from './store.ts';

export type Wish = Permissions & {
	/** Imports to lock besides those that recipes use. */
	readonly addresses: readonly RemoteAddress[];
	/** Packages to resolve anew, as the lock names them. */
	readonly renew: (key: string) => boolean;
	/** Whether locked imports that no recipe uses stay. */
	readonly keepUnused: boolean;
	/** Whether the lock must come out as it is. */
	readonly locked: boolean;
	/** Whether what is not stored is an error instead of being fetched. */
	readonly offline: boolean;
};

/** What would be, or is, different in the lock; files that were fetched. */
export type Outcome = { readonly changes: readonly string[]; readonly fetched: readonly string[] };

/** Of all recipes of a repository together. */
const mostFiles = 4096;

/**
 * Makes lock and store agree with what the recipes below `root` use. Throws `Fault` when something cannot be had, is not
 * what was locked, or when the lock would change and must not; then nothing is written to it.
 */
export async function lockImports(root: string, wish: Wish): Promise<Outcome> {
	const before = readLock(root);
	const after = await inNewFolder(async (folder) => {
		const locking = new Locking(root, folder, before, wish);
		for (const address of [...wish.addresses, ...remoteUses(root)]) await locking.visit(address);
		return locking;
	});
	const lock = wish.keepUnused ? merged(before, after.lock()) : after.lock();
	const changes = lockChanges(before, lock);
	if (wish.locked && changes.length > 0) throw new Fault(messages.lockStale({ changes }));
	if (changes.length > 0) writeLock(root, lock);
	return { changes, fetched: after.fetched };
}

/** What the recipes of a repository import from elsewhere. What is wrong with them otherwise is for `check` to say. */
function remoteUses(root: string): RemoteAddress[] {
	return recipesBelow(root)
		.flatMap((file) => usesOf(readRecipe(readFileSync(file, 'utf8')).syntax))
		.map(({ source }) => readAddress(source.value))
		.filter((address) => address.kind === 'npm' || address.kind === 'git');
}

/** Every recipe file below a folder, tools' folders and links apart, in the order of their paths. */
export function recipesBelow(folder: string): string[] {
	return readdirSync(folder, { withFileTypes: true })
		.toSorted((a, b) => (a.name < b.name ? -1 : 1))
		.flatMap((entry) => {
			const path = join(folder, entry.name);
			if (entry.isDirectory()) return /^\.|^node_modules$/.test(entry.name) ? [] : recipesBelow(path);
			return entry.isFile() && entry.name.endsWith('.prune') ? [path] : [];
		});
}

function merged(before: Lock, after: Lock): Lock {
	const keep = (key: string, now: Locked): Locked => {
		const was = before.get(key);
		const same = was?.version === now.version && was?.commit === now.commit;
		return { ...now, files: new Map([...(same ? (was?.files ?? []) : []), ...now.files]) };
	};
	return new Map([...before, ...[...after].map(([key, now]) => [key, keep(key, now)] as const)]);
}

class Locking {
	readonly fetched: string[] = [];
	private readonly pins = new Map<string, Package['pin']>();
	private readonly files = new Map<string, Map<string, string>>();
	private readonly packages = new Map<string, Package>();
	private count = 0;
	private readonly root: string;
	private readonly folder: string;
	private readonly before: Lock;
	private readonly wish: Wish;

	constructor(root: string, folder: string, before: Lock, wish: Wish) {
		this.root = root;
		this.folder = folder;
		this.before = before;
		this.wish = wish;
	}

	lock(): Lock {
		return new Map(
			[...this.pins].map(([key, pin]) => [
				key,
				{ ...pin, files: this.files.get(key) ?? new Map<string, string>() },
			]),
		);
	}

	/** Locks a file and, in turn, what it uses. */
	async visit(address: RemoteAddress): Promise<void> {
		const [key, path, text] = [packageOf(address), address.path.join('/'), addressText(address)];
		const files = this.files.get(key) ?? new Map<string, string>();
		if (files.has(path)) return;
		if (++this.count > mostFiles) throw new Fault(messages.tooMany({ address: text, limit: mostFiles }));
		const bytes = await this.bytesOf(address, key, path, text);
		this.files.set(key, files.set(path, integrity(bytes)));
		const recipe = recipeOf(bytes, text);
		if (typeof recipe !== 'string') throw new Fault(recipe);
		const { syntax, diagnostics } = readRecipe(recipe);
		if (hasErrors(diagnostics)) throw new Fault(...inFile(diagnostics, text));
		for (const { source } of usesOf(syntax))
			await this.visit(this.seenFrom(address, readAddress(source.value), source.value));
	}

	/** What a `use` in a remote file means: a file of its own package, or another remote one. */
	private seenFrom(
		importer: RemoteAddress,
		address: ReturnType<typeof readAddress>,
		text: string,
	): RemoteAddress {
		const refuse = (problem: Diagnostic): never => {
			throw new Fault({ ...problem, at: addressText(importer) });
		};
		if (address.kind === 'bad')
			return refuse(messages.badAddress({ address: text, why: address.why, instead: address.instead }));
		if (address.kind === 'file') {
			const path = within(importer.path.slice(0, -1), address);
			return path === undefined
				? refuse(messages.outside({ address: text, root: packageOf(importer) }))
				: { ...importer, path };
		}
		return isLocal(address) && !isLocal(importer) ? refuse(messages.remoteLocal({ address: text })) : address;
	}

	/** The file as it is locked, from the store where it is there; else as the package has it. */
	private async bytesOf(
		address: RemoteAddress,
		key: string,
		path: string,
		text: string,
	): Promise<Uint8Array> {
		const entry = this.wish.renew(key) ? undefined : this.before.get(key);
		const hash = entry?.files.get(path);
		if (this.wish.offline && hash === undefined) throw new Fault(messages.notLocked({ address: text }));
		const stored = hash === undefined ? undefined : readStored(this.root, hash, text);
		if (entry !== undefined && stored instanceof Uint8Array) {
			this.pins.set(key, this.pins.get(key) ?? pinOf(entry));
			return stored;
		}
		if (this.wish.offline && stored !== undefined) throw new Fault(stored as Diagnostic);
		const found = await this.package(address, key, entry);
		this.pins.set(key, found.pin);
		const bytes = await found.read(address.path, text);
		if (!(bytes instanceof Uint8Array)) throw new Fault(bytes);
		const now = integrity(bytes);
		if (hash !== undefined && hash !== now)
			throw new Fault(messages.changedImport({ address: text, locked: hash, found: now }));
		store(this.root, bytes);
		this.fetched.push(text);
		return bytes;
	}

	private async package(address: RemoteAddress, key: string, entry: Locked | undefined): Promise<Package> {
		const known = this.packages.get(key);
		if (known !== undefined) return known;
		const found = address.kind === 'npm' ? await this.npm(address, entry) : await this.git(address, entry);
		this.packages.set(key, found);
		return found;
	}

	private async npm(
		address: Extract<RemoteAddress, { kind: 'npm' }>,
		entry: Locked | undefined,
	): Promise<Package> {
		return (
			installedPackage(this.root, address, entry?.version) ?? fetchPackage(this.root, address, entry?.version)
		);
	}

	private async git(
		address: Extract<RemoteAddress, { kind: 'git' }>,
		entry: Locked | undefined,
	): Promise<Package> {
		await permit(address, this.wish);
		return fetchRepository(address, entry?.commit, await mkdtemp(join(this.folder, 'git-')));
	}
}

function pinOf({ version, commit = '' }: Locked): Package['pin'] {
	return version === undefined ? { commit } : { version };
}
