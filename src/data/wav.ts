/** WAV files, through wavefile: integer, float and the telephone codecs; channels are averaged. */
import wavefile from 'wavefile';
import { readBytes, reading } from './rows.ts';
import { type Row, type Waveform } from './sample.ts';

export function readWav(path: string): Row[] {
	return [{ fields: new Map([['audio', { kind: 'sound', open: () => openWav(path) }]]), at: path }];
}

export function openWav(path: string): Waveform {
	const bytes = readBytes(path);
	return reading(path, () => {
		const wav = new wavefile.WaveFile(bytes);
		if (wav.bitDepth === '4') wav.fromIMAADPCM();
		if (wav.bitDepth === '8a') wav.fromALaw();
		if (wav.bitDepth === '8m') wav.fromMuLaw();
		const { sampleRate } = wav.fmt as { sampleRate: number };
		const channels = wav.getSamples(false) as unknown as Float64Array | Float64Array[];
		return {
			rate: sampleRate,
			samples: mono(Array.isArray(channels) ? channels : [channels], scaleOf(wav.bitDepth)),
		};
	});
}

/** Integers of n bits stand for v / 2^(n−1); those of eight bits have their middle at 128. */
function scaleOf(depth: string): { readonly middle: number; readonly largest: number } {
	if (depth === '32f' || depth === '64') return { middle: 0, largest: 1 };
	return { middle: depth === '8' ? 128 : 0, largest: 2 ** (Number(depth) - 1) };
}

function mono(
	channels: readonly Float64Array[],
	{ middle, largest }: ReturnType<typeof scaleOf>,
): Float32Array {
	return Float32Array.from({ length: channels[0]?.length ?? 0 }, (_, at) => {
		const sum = channels.reduce((total, channel) => total + (channel[at] ?? 0) - middle, 0);
		return sum / channels.length / largest;
	});
}
