/**
 * What is tried on every model: one statement a target, and where kept counts are aligned by default, one with all of them free.
 * `$outputs` stands for the names of all outputs.
 */
export type Target = {
	readonly name: string;
	readonly plain: string;
	readonly aligned?: string;
	/** Parameters are not what it takes away. */
	readonly keeps?: boolean;
};

/** A page of the documents: which statements, and what it is called. */
export type Trial = { readonly title: string; readonly flag?: string; readonly targets: readonly Target[] };

const free = (name: string, plain: string): Target => ({ name, plain, aligned: `${plain} align 1` });
const keeping = (name: string, plain: string): Target => ({ name, plain, keeps: true });

/** The most that a target asks for, with consent to change inputs and outputs: tried where one of them stands in the way. */
export const withConsent = ({ plain, aligned }: Target): string => `${aligned ?? plain} may change "*"`;

export const structures: Trial = {
	title: 'What was tried on real models',
	targets: [
		{ name: 'heads', plain: 'prune heads 50%' },
		free('ffn', 'prune ffn 50%'),
		free('hidden', 'prune hidden 25%'),
		{ name: 'layers', plain: 'prune layers [0]' },
		free('channels', 'prune channels 50%'),
		{ name: 'filters', plain: 'prune filters 50%' },
		free('units', 'prune units 50%'),
		free('vocab', 'prune vocab keep 50% may change $outputs'),
		{ name: 'factorize ffn', plain: 'factorize ffn rank 4' },
		{ name: 'factorize attention', plain: 'factorize attention rank 4' },
		keeping('norms', 'prune norms'),
	],
};

/** Statements whose work depends on the input. */
export const adaptive: Trial = {
	title: 'Tokens and exits on real models',
	flag: '--adaptive',
	targets: [
		keeping('tokens', 'prune tokens keep 50% after layer 0'),
		keeping('tokens by norm', 'prune tokens keep 50% after layer 0 by norm'),
		keeping('merge', 'merge tokens 30% after layer 0'),
		keeping('last', 'prune tokens keep last after last attention may change $outputs'),
		keeping('exit', 'exit after layer 0 when confidence > 0.5'),
	],
};
