/**
 * What is tried on every model: one statement a target, and where kept counts are aligned by default, one with all of them free.
 * `$outputs` stands for the names of all outputs.
 */
export type Target = { readonly name: string; readonly plain: string; readonly aligned?: string };

const free = (name: string, plain: string): Target => ({ name, plain, aligned: `${plain} align 1` });

export const targets: readonly Target[] = [
	{ name: 'heads', plain: 'prune heads 50%' },
	free('ffn', 'prune ffn 50%'),
	free('hidden', 'prune hidden 25%'),
	{ name: 'layers', plain: 'prune layers [0]' },
	free('channels', 'prune channels 50%'),
	{ name: 'filters', plain: 'prune filters 50%' },
	free('units', 'prune units 50%'),
	{ name: 'vocab', plain: 'prune vocab keep 50% may change $outputs' },
	{ name: 'factorize ffn', plain: 'factorize ffn rank 4' },
	{ name: 'factorize attention', plain: 'factorize attention rank 4' },
	{ name: 'norms', plain: 'prune norms' },
];
