/** Every technique, one line each, and the words they bring to the language. */
import { type MetricWords } from '../ir/recipe/vocabulary.ts';
import { exit } from './exit.ts';
import { factorizeFilters } from './factorize-filters.ts';
import { factorizeAttention, factorizeFfn, factorizeHead } from './factorize.ts';
import { factorizeEmbeddings } from './factorize-embeddings.ts';
import { pruneChannels, pruneFilters } from './prune-channels.ts';
import { pruneExperts } from './prune-experts.ts';
import { pruneGroups } from './prune-groups.ts';
import { pruneHidden } from './prune-hidden.ts';
import { pruneLayers } from './prune-layers.ts';
import { pruneNorms } from './prune-norms.ts';
import { pruneFfn, pruneHeads, pruneQueries } from './prune-blocks.ts';
import { mergeTokens } from './merge-tokens.ts';
import { pruneTokens, tokenMetrics } from './prune-tokens.ts';
import { pruneRecurrent } from './prune-recurrent.ts';
import { fuseLayers } from './fuse-layers.ts';
import { fuseGates, fuseLinears, fuseQkv } from './fuse.ts';
import { pruneBias } from './prune-bias.ts';
import { prunePositions } from './prune-positions.ts';
import { pruneSoftmax } from './prune-softmax.ts';
import { pruneVocab } from './prune-vocab.ts';
import { pruneWeights } from './prune-weights.ts';
import { metrics as unitMetrics } from './scores.ts';
import { share } from './share.ts';
import { shareAttention, shareFfn } from './share-layers.ts';
import { type Technique } from './technique.ts';
import { unfuseAttention } from './unfuse-attention.ts';

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
	pruneTokens,
	mergeTokens,
	share,
	shareFfn,
	shareAttention,
	exit,
];

/** Everything that can rank units or tokens. */
export const metrics: readonly MetricWords[] = [...unitMetrics, ...tokenMetrics];
