package io.asyncbatch.flink.benchmark.server;

import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaderValues;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpVersion;
import java.nio.charset.StandardCharsets;

/**
 * The answer for one row in JSON, to whatever was asked: the request is read, and not looked at.
 * Owned by its connection's event loop.
 */
final class RestAnswer extends SimpleChannelInboundHandler<FullHttpRequest> {

    private static final byte[] BODY =
            ("{\"model_name\":\"number\",\"model_version\":\"1\",\"outputs\":[{\"name\":\"number\","
                            + "\"datatype\":\"FP32\",\"shape\":[1,1],\"data\":[0.5]}]}")
                    .getBytes(StandardCharsets.UTF_8);

    @Override
    protected void channelRead0(ChannelHandlerContext context, FullHttpRequest request) {
        FullHttpResponse response =
                new DefaultFullHttpResponse(
                        HttpVersion.HTTP_1_1, HttpResponseStatus.OK, Unpooled.wrappedBuffer(BODY));
        response.headers()
                .set(HttpHeaderNames.CONTENT_TYPE, HttpHeaderValues.APPLICATION_JSON)
                .setInt(HttpHeaderNames.CONTENT_LENGTH, BODY.length);
        context.writeAndFlush(response);
    }
}
