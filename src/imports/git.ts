/**
 * Files of git repositories, through the git client. Nothing is checked out: objects are fetched into a bare repository
 * of our own and read from there, so that no hook, filter, submodule or link of theirs can do anything.
 */
import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';
import { Fault, type Diagnostic } from '../diagnostic.ts';
import { commit as commitPattern, type FilePath, type GitAddress, packageOf } from '../ir/imports/address.ts';
import * as messages from '../messages/import.ts';
import { type Package, type Permissions, run } from './fetch.ts';
import { largestFile } from './root.ts';

/** Addresses that no recipe should make this machine talk to (IANA special-purpose address registries, RFC 6890). */
const privateNetworks = new BlockList();
for (const [net, prefix] of [
	...([
		['0.0.0.0', 8],
		['10.0.0.0', 8],
		['100.64.0.0', 10],
		['127.0.0.0', 8],
		['169.254.0.0', 16],
	] as const),
	...([
		['172.16.0.0', 12],
		['192.0.0.0', 24],
		['192.168.0.0', 16],
		['198.18.0.0', 15],
		['224.0.0.0', 3],
	] as const),
])
	privateNetworks.addSubnet(net, prefix, 'ipv4');
for (const [net, prefix] of [
	['::', 127],
	['64:ff9b::', 96],
	['fc00::', 7],
	['fe80::', 10],
	['ff00::', 8],
] as const)
	privateNetworks.addSubnet(net, prefix, 'ipv6');

/** Finds the addresses of a host. */
export type Resolver = (host: string) => Promise<readonly string[]>;
const resolveHost: Resolver = async (host) =>
	(await lookup(host, { all: true })).map(({ address }) => address);

/** Whether an IP address lies in a loopback, link-local, private or reserved network. */
export function isPrivate(address: string): boolean {
	const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;
	return privateNetworks.check(mapped, isIP(mapped) === 6 ? 'ipv6' : 'ipv4');
}

/** Throws `Fault` when a repository is one that only the command line can allow. */
export async function permit(
	address: GitAddress,
	{ allowFile, allowHosts }: Permissions,
	resolve: Resolver = resolveHost,
): Promise<void> {
	const { host } = address;
	if (host === '') {
		if (!allowFile) throw new Fault(messages.localRepository({ address: packageOf(address) }));
		return;
	}
	if (allowHosts.includes(host)) return;
	const literal = host.replace(/^\[|\]$/g, '');
	const found =
		isIP(literal) !== 0
			? [literal]
			: await resolve(host).catch((problem: unknown) => {
					throw new Fault(
						messages.fetchFailed({
							address: packageOf(address),
							cause: `the host is not found (${(problem as NodeJS.ErrnoException).code ?? ''})`,
							hint: undefined,
						}),
					);
				});
	const inside = found.find(isPrivate);
	if (inside !== undefined) throw new Fault(messages.privateHost({ host, found: inside }));
}

/** Settings that hold whatever the user's own configuration says. */
const settings = [
	...[
		'core.hooksPath=/dev/null',
		'core.fsmonitor=false',
		'core.symlinks=false',
		'core.attributesFile=/dev/null',
	],
	...[
		'fetch.recurseSubmodules=false',
		'fetch.fsckObjects=true',
		'http.followRedirects=false',
		'protocol.version=2',
	],
	...['gc.auto=0', 'maintenance.auto=false', 'credential.interactive=false'],
].flatMap((setting) => ['-c', setting]);

type Git = (args: readonly string[], hint?: string) => Promise<Buffer>;

/** The git client in `folder`, deaf to everything but its arguments and the user's own settings. */
function client(address: GitAddress, folder: string): Git {
	const env = {
		...{ GIT_TERMINAL_PROMPT: '0', GIT_ASKPASS: 'true', SSH_ASKPASS: 'true', GIT_CONFIG_NOSYSTEM: '1' },
		...{
			GIT_ATTR_NOSYSTEM: '1',
			GIT_LITERAL_PATHSPECS: '1',
			GIT_NO_REPLACE_OBJECTS: '1',
			GIT_OPTIONAL_LOCKS: '0',
		},
		...{ GIT_ALLOW_PROTOCOL: address.host === '' ? 'file' : 'https', GIT_DIR: folder },
	};
	return async (args, hint) =>
		run('git', [...settings, ...args], {
			...{ address: packageOf(address), folder, env },
			...(hint !== undefined && { hint }),
		});
}

/** Fetches a repository at its tag or commit into `folder`, or at the commit that was locked. */
export async function fetchRepository(
	address: GitAddress,
	locked: string | undefined,
	folder: string,
): Promise<Package> {
	const { url, ref } = address;
	const wanted = locked ?? (commitPattern.test(ref) ? ref : `refs/tags/${ref}`);
	const git = client(address, folder);
	await git(['init', '--quiet', '--bare', '--template=', '.']);
	const fetch = [
		'fetch',
		'--quiet',
		'--depth=1',
		'--no-tags',
		'--no-recurse-submodules',
		'--no-write-fetch-head',
	];
	await git(
		[...fetch, '--end-of-options', url, `+${wanted}:refs/prunec/wanted`],
		'a tag or a commit of 40 digits stands behind `#`, never a branch',
	);
	const commit = (await git(['rev-parse', '--verify', '--end-of-options', 'refs/prunec/wanted^{commit}']))
		.toString()
		.trim();
	if (commitPattern.test(wanted) && commit !== wanted)
		throw new Fault(
			messages.fetchFailed({ address: packageOf(address), cause: `${wanted} is no commit`, hint: undefined }),
		);
	return { pin: { commit }, read: async (path, name) => readEntry(git, commit, path, name) };
}

/** A file of a commit, from the object store. */
async function readEntry(
	git: Git,
	commit: string,
	path: FilePath,
	address: string,
): Promise<Uint8Array | Diagnostic> {
	const listed = await git(['ls-tree', '-z', '--long', '--full-tree', commit, '--', path.join('/')]);
	const [, mode, object = '', size] = /^(\d+) \w+ ([0-9a-f]{40,64}) +(\d+|-)\t/.exec(listed.toString()) ?? [];
	if (mode === undefined) return messages.notFound({ address, name: path.at(-1) ?? '', near: [] });
	if (mode !== '100644' && mode !== '100755')
		return messages.notAFile({ address, what: kinds[mode] ?? 'no file' });
	if (Number(size) > largestFile)
		return messages.tooLarge({ address, bytes: Number(size), limit: largestFile });
	return git(['cat-file', 'blob', object]);
}

const kinds: Readonly<Record<string, string>> = {
	'040000': 'a folder',
	'120000': 'a link',
	'160000': 'a submodule',
};
