/**
 * Files of npm packages: from `node_modules` where the package is installed, else from its tarball, which the npm client
 * gets. Tarballs are read in memory and nothing of them is run.
 */
import { existsSync, realpathSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gunzip } from 'node:zlib';
import { promisify } from 'node:util';
import { Parser } from 'tar';
import { Fault } from '../diagnostic.ts';
import { type NpmAddress, npmVersion, packageOf } from '../ir/imports/address.ts';
import * as messages from '../messages/import.ts';
import { inNewFolder, type Package, run } from './fetch.ts';
import { largestFile, readInside, readRegular } from './root.ts';

/** Of a tarball once unpacked, in bytes. */
const largestPackage = 2 ** 28;

/** The package that is installed for the files of `root`, when it is one and has the version that is wanted. */
export function installedPackage(
	root: string,
	{ name, version }: NpmAddress,
	locked: string | undefined,
): Package | undefined {
	const wanted = locked ?? version;
	for (let folder = root; ; folder = dirname(folder)) {
		const at = join(folder, 'node_modules', name);
		if (existsSync(join(at, 'package.json'))) {
			const real = realpathSync(at);
			const found = manifestVersion(real, name);
			if (found === undefined || (wanted !== undefined && wanted !== found)) return undefined;
			return {
				pin: { version: found },
				read: async (path, address) => {
					const file = readInside(real, path, address);
					return Promise.resolve('bytes' in file ? file.bytes : file);
				},
			};
		}
		if (folder === dirname(folder)) return undefined;
	}
}

/** The version that a package says it has; nothing when it says another name. */
function manifestVersion(folder: string, wanted: string): string | undefined {
	try {
		const bytes = readRegular(join(folder, 'package.json'), wanted, largestFile);
		if (!(bytes instanceof Uint8Array)) return undefined;
		const { name, version } = JSON.parse(new TextDecoder().decode(bytes)) as {
			name?: unknown;
			version?: unknown;
		};
		return name === wanted && typeof version === 'string' && npmVersion.test(version) ? version : undefined;
	} catch {
		return undefined;
	}
}

/** The package from the registry that npm is set up for, at the version that is locked or wanted, else the newest. */
export async function fetchPackage(
	root: string,
	address: NpmAddress,
	locked: string | undefined,
): Promise<Package> {
	const { name, version } = address;
	const wanted = locked ?? version ?? 'latest';
	const files = await inNewFolder(async (folder) => {
		const args = [
			'pack',
			`${name}@${wanted}`,
			'--ignore-scripts',
			'--pack-destination',
			folder,
			'--loglevel=error',
		];
		await run('npm', [...args, '--no-audit', '--no-fund', '--no-update-notifier'], {
			...{ address: packageOf(address), folder: root, env: npmEnvironment() },
			hint: 'a package that is installed in node_modules is used from there',
		});
		const tarball = (await readdir(folder)).find((file) => file.endsWith('.tgz'));
		if (tarball === undefined) throw notFetched(address, 'npm gave no tarball');
		return filesOf(await readFile(join(folder, tarball)), address);
	});
	const found = manifestOf(files, address);
	return {
		pin: { version: found },
		read: async (path, text) => {
			const bytes = files.get(path.join('/'));
			const near = [...files.keys()].filter((file) => file.endsWith('.prune'));
			return Promise.resolve(bytes ?? messages.notFound({ address: text, name: path.join('/'), near }));
		},
	};
}

/** The user's npm settings, scripts off whatever they say. */
function npmEnvironment(): Record<string, string> {
	const own = Object.entries(process.env).filter(
		(entry): entry is [string, string] => /^npm_config_/i.test(entry[0]) && entry[1] !== undefined,
	);
	return { ...Object.fromEntries(own), npm_config_ignore_scripts: 'true', NO_COLOR: '1' };
}

function notFetched(address: NpmAddress, cause: string): Fault {
	return new Fault(messages.fetchFailed({ address: packageOf(address), cause, hint: undefined }));
}

/** Recipes and the manifest of a tarball, by their path below its top folder. Links and other kinds are left out. */
async function filesOf(tarball: Buffer, address: NpmAddress): Promise<ReadonlyMap<string, Uint8Array>> {
	const tar = await promisify(gunzip)(tarball, { maxOutputLength: largestPackage }).catch(() => {
		throw notFetched(address, `its tarball is damaged or unpacks to more than ${largestPackage} bytes`);
	});
	const files = new Map<string, Uint8Array>();
	await new Promise<void>((resolve, reject) => {
		const parser = new Parser({
			strict: true,
			filter: (path, entry) =>
				'type' in entry &&
				entry.type === 'File' &&
				/\.prune$|^[^/]+\/package\.json$/.test(path) &&
				entry.size <= largestFile,
			onReadEntry: (entry) => {
				const chunks: Buffer[] = [];
				entry.on('data', (chunk) => chunks.push(chunk));
				entry.on('end', () => files.set(entry.path.replace(/^[^/]*\//, ''), Buffer.concat(chunks)));
			},
		});
		parser.on('end', resolve);
		parser.on('error', () => {
			reject(notFetched(address, 'its tarball is damaged'));
		});
		parser.end(tar);
	});
	return files;
}

function manifestOf(files: ReadonlyMap<string, Uint8Array>, address: NpmAddress): string {
	const manifest = JSON.parse(
		new TextDecoder().decode(files.get('package.json') ?? new TextEncoder().encode('{}')),
	) as {
		name?: unknown;
		version?: unknown;
	};
	if (
		manifest.name !== address.name ||
		typeof manifest.version !== 'string' ||
		!npmVersion.test(manifest.version)
	)
		throw notFetched(address, 'its tarball has no manifest of that name');
	return manifest.version;
}
