/** Every technique, one line each, and the words they bring to the language. */
import { type MetricWords } from '../ir/recipe/vocabulary.ts';
import { exit } from './exits/exit.ts';
import { factorizeFilters } from './low-rank/factorize-filters.ts';
import { factorizeAttention, factorizeFfn, factorizeHead } from './low-rank/factorize.ts';
import { factorizeEmbeddings } from './low-rank/factorize-embeddings.ts';
import { pruneChannels, pruneFilters } from './units/prune-channels.ts';
import { pruneExperts } from './units/prune-experts.ts';
import { pruneGroups } from './units/prune-groups.ts';
import { pruneHidden } from './units/prune-hidden.ts';
import { pruneLayers } from './layers/prune-layers.ts';
import { pruneNorms } from './norms/prune-norms.ts';
import { pruneFfn, pruneHeads, pruneQueries } from './units/prune-blocks.ts';
import { mergeTokens } from './tokens/merge-tokens.ts';
import { pruneTokens, tokenMetrics } from './tokens/prune-tokens.ts';
import { pruneRecurrent } from './units/prune-recurrent.ts';
import { fuseLayers } from './layers/fuse-layers.ts';
import { fuseGates, fuseLinears, fuseQkv } from './exact/fuse.ts';
import { pruneBias } from './exact/prune-bias.ts';
import { prunePositions } from './positions/prune-positions.ts';
import { pruneSoftmax } from './attention/prune-softmax.ts';
import { pruneVocab } from './vocabulary/prune-vocab.ts';
import { pruneWeights } from './units/prune-weights.ts';
import { metrics as unitMetrics } from './scores/scores.ts';
import { share } from './exact/share.ts';
import { shareAttention, shareFfn } from './layers/share-layers.ts';
import { type Technique } from './technique.ts';
import { unrollLoops } from './exact/unroll-loops.ts';
import { unfuseAttention } from './attention/unfuse-attention.ts';
import { untieHeads } from './attention/untie-heads.ts';

export const techniques: readonly Technique[] = [
	pruneHeads,
	pruneQueries,
	pruneFfn,
	pruneLayers,
	pruneChannels,
	pruneFilters,
	pruneGroups,
	pruneHidden,
	pruneExperts,
	pruneRecurrent,
	pruneVocab,
	factorizeFfn,
	factorizeAttention,
	factorizeHead,
	factorizeEmbeddings,
	factorizeFilters,
	pruneNorms,
	pruneBias,
	pruneSoftmax,
	prunePositions,
	pruneWeights,
	fuseLinears,
	fuseQkv,
	fuseGates,
	fuseLayers,
	unfuseAttention,
	unrollLoops,
	untieHeads,
	pruneTokens,
	mergeTokens,
	share,
	shareFfn,
	shareAttention,
	exit,
];

/** Everything that can rank units or tokens. */
export const metrics: readonly MetricWords[] = [...unitMetrics, ...tokenMetrics];
