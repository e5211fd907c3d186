/** One statement or two for every structure, exact ones first. */
export type Structure = { readonly name: string; readonly statement: string };

const structure = (name: string, statement: string): Structure => ({ name, statement });
/** What is fitted to data: the zoo has none, so it is fitted to generated inputs. */
const fitted = (name: string, statement: string): Structure =>
	structure(name, `calibrate with "$data"; ${statement}`);

export const everything: readonly Structure[] = [
	structure('normalization', 'prune norms'),
	structure('bias', 'prune bias'),
	structure('softmax', 'prune softmax'),
	structure('sharing', 'share'),
	structure('fusion', 'fuse linears'),
	structure('fusion', 'fuse qkv'),
	structure('fusion', 'fuse gates'),
	structure('positional encoding', 'prune positions keep 128'),
	structure('layers', 'prune layers [0]'),
	structure('halves of layers', 'prune layers [0] only ffn'),
	structure('heads', 'prune heads 50%'),
	structure('FFN neurons', 'prune ffn 50% align 4'),
	structure('channels', 'prune channels 50% align 4'),
	structure('filters', 'prune filters 50% align 4'),
	structure('groups', 'prune groups 50%'),
	structure('recurrent units', 'prune units 50% align 4'),
	structure('residual width', 'prune hidden 25% align 1'),
	structure('experts', 'prune experts 50%'),
	structure('embeddings', 'prune vocab keep 50% may change $outputs'),
	structure('low rank', 'factorize ffn ratio 50%'),
	structure('low rank', 'factorize attention ratio 50%'),
	structure('low rank', 'factorize attention ratio 50% with joint'),
	structure('low rank', 'factorize head ratio 50%'),
	structure('low rank', 'factorize embeddings ratio 50%'),
	structure('tensor decomposition', 'factorize filters auto'),
	structure('tensor decomposition', 'factorize filters ratio 50% with tucker'),
	structure('tensor decomposition', 'factorize filters ratio 50% with spatial'),
	structure('tensor decomposition', 'factorize filters ratio 30% with cp'),
	fitted('normalization', 'prune norms 25%'),
	fitted('softmax', 'prune softmax 1'),
	structure('single weights', 'prune weights 50%'),
	structure('sharing', 'share ffn across layers 0..'),
	structure('sharing', 'share attention across layers 0.. with mean'),
	structure('sharing', 'share ffn across layers 0.. with basis ratio 50%'),
	structure('fusion', 'fuse layers 0..2'),
	structure('tokens', 'prune tokens keep 50% after layer 0'),
	structure('tokens', 'merge tokens 30% after layer 0'),
	structure('early exit', 'exit after layer 0 when confidence > 0.5'),
];
