package io.asyncbatch.flink.batchapi.client;

import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;

/**
 * One request's result. Immutable. Either a body or an error.
 *
 * @param customId of the request
 * @param body the response, a JSON value; null if there is an error
 * @param errorCode what went wrong in a word that may be logged; null if there is a body
 * @param errorMessage the provider's text, for the row's owner only, since it may quote the row
 */
@Internal
public record ResultLine(
        String customId,
        @Nullable String body,
        @Nullable String errorCode,
        @Nullable String errorMessage) {

    public static ResultLine success(String customId, String body) {
        return new ResultLine(customId, body, null, null);
    }

    public static ResultLine failure(String customId, String code, String message) {
        return new ResultLine(customId, null, code, message);
    }
}
